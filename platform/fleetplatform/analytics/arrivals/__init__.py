"""Readings in the order in which they came in, from any place in that order.

A reading's place is the time of its batch, then its sensor and time. Batches commit in the order of
their times, each as a whole, so nothing can come in before a place that has been passed.
"""

import re
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fleetplatform.analytics.choice import EARLIEST_US, LATEST_US, Choice
from fleetplatform.analytics.series import readable_sensor
from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import InvalidError, NotFoundError
from fleetplatform.timeseries.instants import to_datetime, to_us
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.resources.readings import LiveReading, LiveReadings, Missed

SET_BACK_US = 60_000_000
"""A place so far ahead of the clock is from before it was set back; for less ingest counts on."""

_FORM = re.compile(r"(\d{1,16})-([0-9a-f]{32})-(\d{1,16})")
_LAST_ID = UUID(int=(1 << 128) - 1)
_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of arrival: after one reading, or after all that came until a time."""

    received_us: int
    sensor_id: UUID = _LAST_ID
    measured_us: int = LATEST_US

    def __str__(self) -> str:
        return f"{self.received_us}-{self.sensor_id.hex}-{self.measured_us}"


def parse_place(text: str) -> Place:
    """The place that an id names; raises InvalidError."""
    found = _FORM.fullmatch(text)
    if found is None or max(int(found[1]), int(found[3])) > LATEST_US:
        raise InvalidError("after: give the id of a reading as it was sent", code="invalid_cursor")
    return Place(int(found[1]), UUID(found[2]), int(found[3]))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings: of a sensor, device, group or type; only flagged ones, only anomalies."""

    choice: Choice
    flagged: bool = False
    anomalies: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """readings: in one part · late_us: not of those measured longer before they came ·
    resumed_us: who comes back after longer begins anew · settled_us: what was received longer ago
    is committed, if it ever will be (virtual time) · behind_s: wall clock.
    """

    readings: int
    late_us: int
    resumed_us: int
    settled_us: int
    behind_s: float


class Follower:
    """next() → a part, again and again; each begins where the last one ended.

    One that stays behind for longer than `behind_s` goes on at the newest reading, and its next
    part says what was missed. Not for two callers at once.
    """

    def __init__(self, pool: Pool, wanted: Wanted, limits: Limits, place: Place) -> None:
        self._pool = pool
        self._wanted = wanted
        self._limits = limits
        self._place = place
        self._level_s = time.monotonic()
        self._is_behind = False
        self._is_told = True

    @property
    def place(self) -> Place:
        """After what it goes on."""
        return self._place

    async def check(self, tenant: Tenant) -> None:
        """Raise NotFoundError where a sensor, device or group is asked for that is not seen.

        And ForbiddenError for a sensitive sensor.
        """
        choice = self._wanted.choice
        async with transaction(self._pool, tenant) as conn:
            if choice.sensor_id is not None:
                await readable_sensor(conn, choice.sensor_id)
            found = await _queries.all_seen(
                conn, sensor_id=choice.sensor_id, device_id=choice.device_id,
                group_id=choice.group_id,
            )  # fmt: skip
        if not found:
            raise NotFoundError("the organization has no such sensor, device or group")

    async def next(self, tenant: Tenant, now_us: int) -> LiveReadings:
        """What came in since the last part, as many as a part holds."""
        async with transaction(self._pool, tenant) as conn:
            await _queries.plan_for_values(conn)
            missed = self._lost_place(now_us)
            if missed is None and self._is_too_far_behind():
                missed = await self._skip(conn, now_us)
            asked, count = self._asked(now_us), self._limits.readings
            rows = [row async for row in _queries.arrived(conn, **asked, count=count)]
        readings = tuple([_reading(row) for row in rows])
        if readings:
            self._place = parse_place(readings[-1].id)
        self._is_behind = len(readings) == self._limits.readings
        if not self._is_behind:
            self._level_s = time.monotonic()
            # Where nothing that is asked for comes, the next look need not begin so far back.
            settled = Place(now_us - self._limits.settled_us)
            if settled.received_us > self._place.received_us:
                self._place = settled
        return LiveReadings(readings=readings, missed=missed, next=str(self._place))

    def _is_too_far_behind(self) -> bool:
        """Whether parts have been full since long ago."""
        return self._is_behind and time.monotonic() - self._level_s > self._limits.behind_s

    def _lost_place(self, now_us: int) -> Missed | None:
        """Begin anew where the place is in the future or too long ago."""
        at_us, is_told = self._place.received_us, self._is_told
        self._is_told = False
        if at_us <= now_us + SET_BACK_US and (
            at_us >= now_us - self._limits.resumed_us or not is_told
        ):
            return None
        self._place = Place(now_us)
        reason = "old" if at_us < now_us else "clock"
        return Missed(after_us=at_us, until_us=now_us, count=None, reason=reason)

    async def _skip(self, conn: Connection, now_us: int) -> Missed | None:
        """Go to the newest reading there is."""
        passed = await _queries.passed(conn, **self._asked(now_us))
        if not passed["reading_count"]:
            return None
        after_us, until_us = self._place.received_us, to_us(passed["newest"])
        self._place, self._level_s = Place(until_us), time.monotonic()
        return Missed(
            after_us=after_us, until_us=until_us, count=passed["reading_count"], reason="slow"
        )

    def _asked(self, now_us: int) -> dict[str, Any]:
        """The place and the filters, as parameters of a query."""
        wanted, place = self._wanted, self._place
        earliest_us = max(EARLIEST_US, min(place.received_us, now_us) - self._limits.late_us)
        return {
            "after_received": to_datetime(place.received_us),
            "after_sensor": place.sensor_id,
            "after_measured": to_datetime(place.measured_us),
            "since": to_datetime(earliest_us),
            "until": to_datetime(min(LATEST_US, now_us + self._limits.late_us)),
            "sensor_id": wanted.choice.sensor_id,
            "device_id": wanted.choice.device_id,
            "group_id": wanted.choice.group_id,
            "sensor_type": wanted.choice.sensor_type,
            "flagged": wanted.flagged,
            "anomalies": wanted.anomalies,
        }


def _reading(row: Any) -> LiveReading:
    received_us, t_us = to_us(row["received_at"]), to_us(row["measurement_timestamp"])
    return LiveReading(
        id=str(Place(received_us, row["sensor_id"], t_us)),
        organization_id=row["organization_id"],
        device_id=row["device_id"],
        sensor_id=row["sensor_id"],
        sensor_type=SensorType(row["sensor_type"]).label,
        t_us=t_us,
        received_us=received_us,
        value=row["measurement_value"],
        quality=row["data_quality"],
        is_anomaly=row["is_anomaly"],
        score=row["anomaly_score"],
    )
