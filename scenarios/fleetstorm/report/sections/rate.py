"""What was offered and what was stored, over time."""

from fleetstorm.report import charts, words
from fleetstorm.report.blocks import Block, Section
from fleetstorm.report.recordings import one
from fleetstorm.results import Run
from fleetstorm.results.standing import generator_alone
from fleetstorm.results.summary import Summary

ORDER = 30


def render(run: Run) -> Section | None:
    """Offered and stored readings a second; and what waited in the devices, if anything did."""
    offered = one(run, "load.emitted").from_nothing().per_second()
    stored = one(run, "load.acknowledged").from_nothing().per_second()
    if len(offered) < 2:
        return None
    says, answered = _said(run.summary)
    named = {answered: stored, "offered": offered}
    blocks: list[Block] = [charts.lines("Readings a second", says, "readings/s", named)]
    waiting = one(run, "load.buffered")
    if not generator_alone(run.summary) and len(waiting) and waiting.value.max() > 0:
        most = f"At most {words.count(waiting.value.max())} readings waited for an answer."
        blocks.append(charts.lines("Not yet acknowledged", most, "readings", {"waiting": waiting}))
    lead = "The schedule of the load never slows down because the platform does."
    return Section("Rate", lead, blocks)


def _said(summary: Summary) -> tuple[str, str]:
    """The averages in a sentence, and what the readings are that were answered."""
    load = summary.load
    offered = f"On average {words.rate(load.offered_per_s)} were offered"
    if generator_alone(summary):
        return f"{offered}; with no platform, nothing was stored.", "handed over"
    if load.stored_per_s is None:
        return f"{offered}.", "acknowledged"
    return f"{offered} and {words.rate(load.stored_per_s)} stored.", "stored"
