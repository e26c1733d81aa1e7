"""How long readings took."""

from fleetstorm.report import charts, words
from fleetstorm.report.blocks import Block, Section, Table
from fleetstorm.report.recordings import histogram, one
from fleetstorm.results import Run
from fleetstorm.results.standing import generator_alone
from fleetstorm.results.summary import Latency, Percentiles

ORDER = 40
_BUCKETS = 60
_MEANING = {
    "response": "intended send → {answer}",
    "service": "actual send → {answer}",
    "age": "measurement → {answer}",
    "alert": "measurement → alert in the database",
    "notification": "alert → delivered",
    "command": "asked → acknowledged by the device",
}


def render(run: Run) -> Section | None:
    """Percentiles, the distribution, and percentiles over time."""
    latency = run.summary.latency_ms
    if not _measured(latency):
        return None
    blocks: list[Block] = [_percentiles(latency, alone=generator_alone(run.summary))]
    name = "response" if latency.response else "service"
    main = getattr(latency, name)
    counts = histogram(run, f"latency_ms.{name}", _BUCKETS)
    if main and counts is not None:
        marks = {"p50": main.p50, "p99": main.p99}
        says = (
            f"Half took up to {words.ms(main.p50)}, all but one in a hundred {words.ms(main.p99)}."
        )
        blocks.append(charts.distribution(f"Distribution of {name} time", says, counts, marks))
    over_time = {f"p{q}": one(run, f"latency_ms.{name}.p{q}") for q in (50, 99)}
    if main and all(len(series) > 1 for series in over_time.values()):
        says = f"The longest took {words.ms(main.max)}."
        title = f"{name.capitalize()} time over time"
        blocks.append(charts.lines(title, says, "milliseconds", over_time, unit_format=",.4~g"))
    lead = "Times on the wall clock; response time includes the time a reading was sent late."
    return Section("Latency", lead, blocks)


def _measured(latency: Latency) -> dict[str, Percentiles]:
    named = {name: getattr(latency, name) for name in _MEANING}
    return {name: found for name, found in named.items() if found is not None}


def _percentiles(latency: Latency, *, alone: bool) -> Table:
    answer = "thrown away" if alone else "acknowledgement"
    rows = [
        (
            name,
            _MEANING[name].format(answer=answer),
            *(words.ms(v) for v in (p.p50, p.p90, p.p99, p.p999, p.max)),
        )
        for name, p in _measured(latency).items()
    ]
    columns = ("Time", "from → to", "p50", "p90", "p99", "p99.9", "longest")
    return Table("Percentiles", columns, rows, left=frozenset({1}))
