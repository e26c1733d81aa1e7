"""What was offered and what was stored, over time."""

from fleetstorm.report import charts, words
from fleetstorm.report.blocks import Block, Section
from fleetstorm.report.recordings import one
from fleetstorm.results import Run

ORDER = 30


def render(run: Run) -> Section | None:
    """Offered and stored readings a second; and what waited in the devices, if anything did."""
    load = run.summary.load
    offered = one(run, "load.emitted").from_nothing().per_second()
    stored = one(run, "load.acknowledged").from_nothing().per_second()
    if len(offered) < 2:
        return None
    says = (
        f"On average {words.rate(load.offered_per_s)} were offered and"
        f" {words.rate(load.stored_per_s)} stored."
    )
    named = {"stored": stored, "offered": offered}
    blocks: list[Block] = [charts.lines("Readings a second", says, "readings/s", named)]
    waiting = one(run, "load.buffered")
    if len(waiting) and waiting.value.max() > 0:
        most = f"At most {words.count(waiting.value.max())} readings waited for an answer."
        blocks.append(charts.lines("Not yet acknowledged", most, "readings", {"waiting": waiting}))
    lead = "The schedule of the load never slows down because the platform does."
    return Section("Rate", lead, blocks)
