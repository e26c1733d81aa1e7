"""What the keys `measure` and `prepare.history` need of the rest of a run."""

from collections.abc import Iterator

from fleetstorm.config.rules import Problem, known
from fleetstorm.config.settings import RunConfig


def check_measured(config: RunConfig, sensor_types: list[str]) -> Iterator[Problem]:
    """One sentence for everything that could not be measured, or not be written."""
    history, measure = config.prepare.history, config.measure
    own = config.transport.enrols and config.platform.url is None
    why = "it needs the database of a platform that the run starts itself"
    if measure.anything and not own:
        yield "measure", f"{why}: leave platform.url and transport=null_sink out"
    if history is not None:
        if not own:
            yield "prepare.history", f"{why}: leave platform.url and transport=null_sink out"
        for name in history.sensor_types:
            yield from known("prepare.history.sensor_types", name, sensor_types, "sensor type")
        if history.span < history.interval:
            yield "prepare.history.span", "it is shorter than the interval, so there is no reading"
    if measure.queries is not None and history is None:
        yield "measure.queries", "the queries ask about prepare.history; give one"
    if measure.ingest is not None and measure.ingest.after >= config.duration:
        yield "measure.ingest.after", "the load has ended by then; give less than duration"
    if measure.partition_roll is not None and measure.partition_roll.at >= config.duration:
        yield "measure.partition_roll.at", "the load has ended by then; give less than duration"
