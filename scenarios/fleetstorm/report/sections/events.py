"""What happened during the run: actions of the timeline, parts that went and came."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fleetstorm.report.blocks import Section, Table
from fleetstorm.results import Run

ORDER = 80
_EVENTS_MAX = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD = ("wall_us", "virtual_us", "kind")


def render(run: Run) -> Section | None:
    """The journal, each event with the seconds since its first."""
    events = run.events
    if not events:
        return None
    began_us = events[0]["wall_us"]
    rows = [
        (
            f"{(event['wall_us'] - began_us) / 1e6:,.1f} s",
            str(event["kind"]).replace("_", " "),
            _details(event),
        )
        for event in events[:_EVENTS_MAX]
    ]
    more = "" if len(events) <= _EVENTS_MAX else f" (the first {_EVENTS_MAX} of {len(events):,})"
    table = Table(f"Journal{more}", ("After", "What", ""), rows, left=frozenset({1, 2}))
    return Section("What happened", "Seconds on the wall clock since the first event.", [table])


def _details(event: dict[str, Any]) -> str:
    """An event's own fields, but for those that say nothing and those with fields of their own."""
    shown = [
        _field(key, value)
        for key, value in event.items()
        if key not in _HEAD and value not in (None, "") and not isinstance(value, dict)
    ]
    return ", ".join(shown)


def _field(key: str, value: Any) -> str:
    if key.endswith("_us") and isinstance(value, int):
        return (
            f"{key.removesuffix('_us')} {_EPOCH + timedelta(microseconds=value):%Y-%m-%d %H:%M:%S}"
        )
    return f"{key.replace('_', ' ')} {value}"
