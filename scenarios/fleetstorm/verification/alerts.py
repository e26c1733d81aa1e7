"""The claim: the alerts that the oracle says must come have come, and no others."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import numpy as np

from fleetsim.ledger.histogram import Histogram
from fleetsim.ledger.report import LedgerReport
from fleetstorm.results.proof import EXAMPLES_MAX, Example
from fleetstorm.verification import table
from fleetstorm.verification.examples import Namer, choose, instant
from fleetstorm.verification.sensors import UNKNOWN, SensorIndex

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, int, int]
"""Name of the rule, sensor of the books, and the measurement time of the reading that raised it."""


class Law(Protocol):
    """What the court needs of the platform's clock: the wall clock at a virtual time."""

    @property
    def speed(self) -> float:
        """Virtual seconds in one of the wall clock; 0 where time is stepped."""

    def wall_us(self, virtual_us: int) -> int:
        """Time of the wall clock at a virtual time."""


@dataclass
class AlertsVerdict:
    """Alerts expected for certain, raised, missed and false; `latency` from the measurement to
    the alert's row, None where virtual time says nothing about it.
    """

    expected: int
    raised: int
    missed: int
    false: int
    examples: tuple[Example, ...]
    latency: Histogram | None


async def verify_alerts(
    owner_url: str, organization_ids: list[UUID], ledger: LedgerReport, law: Law | None
) -> AlertsVerdict:
    """Match the table's alerts with the expected ones by rule, sensor and time.

    From a sensor's first reading of unknown fate on, that reading decides: an alert may be there
    or not, but not twice.
    """
    connection = await table.connect(owner_url)
    try:
        found = table.queries.raised_alerts(connection, organizations=organization_ids)
        alerts = [row async for row in found]
    finally:
        await connection.close()
    index = SensorIndex(ledger)
    sensors = _sensors(index, [row["sensor_id"] for row in alerts])
    raised = Counter(
        (row["rule"], sensor, _us(row["raised_at"]))
        for row, sensor in zip(alerts, sensors, strict=True)
    )
    certain = {(a.rule, a.sensor, a.raised_us) for a in ledger.expected_alerts if a.certain}
    possible = {(a.rule, a.sensor, a.raised_us) for a in ledger.expected_alerts}
    missed = sorted(certain - raised.keys())
    unknown_from_us = dict(enumerate(ledger.unknown_from_us.tolist()))
    false = sorted(
        key
        for key in (raised - Counter(possible)).elements()
        if raised[key] > 1 or key[2] < unknown_from_us.get(key[1], key[2] + 1)
    )
    namer = Namer(ledger, index)
    return AlertsVerdict(
        expected=len(certain),
        raised=len(alerts),
        missed=len(missed),
        false=len(false),
        examples=choose(
            [_named(namer, "alert_missed", missed), _named(namer, "alert_false", false)]
        ),
        latency=_latency(alerts, law),
    )


def _named(namer: Namer, what: str, keys: list[Key]) -> list[Example]:
    examples = []
    for rule, sensor, t_us in keys[:EXAMPLES_MAX]:
        if sensor == UNKNOWN:
            examples.append(Example(what=what, rule=rule, t=instant(t_us)))
        else:
            examples.append(namer.name(what, sensor, t_us, rule=rule))
    return examples


def _sensors(index: SensorIndex, ids: list[UUID]) -> list[int]:
    high = np.array([i.int >> 64 for i in ids], dtype=np.uint64)
    low = np.array([i.int & (2**64 - 1) for i in ids], dtype=np.uint64)
    sensors: list[int] = index.find(high, low).tolist()
    return sensors


def _latency(alerts: list[Any], law: Law | None) -> Histogram | None:
    """From the measurement to the row, on the wall clock."""
    if law is None or law.speed <= 0 or not alerts:
        return None
    histogram = Histogram()
    waited = [_us(row["recorded_at"]) - law.wall_us(_us(row["raised_at"])) for row in alerts]
    histogram.add(np.array(waited, dtype=np.int64))
    return histogram


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
