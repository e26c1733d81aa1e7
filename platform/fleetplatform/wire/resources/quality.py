"""How far readings can be trusted; times are µs since 1970, virtual time, UTC."""

from typing import Literal
from uuid import UUID

from fleetplatform.wire.resources.body import Reply

Flag = Literal["range", "rate", "flat", "gap", "late", "clock_skew", "uncalibrated", "stale"]
"""What can be wrong with a reading: the bits of data_quality from the lowest on."""


class FlagCounts(Reply, frozen=True, kw_only=True):
    """How many readings have each flag; one reading may have several."""

    range: int
    rate: int
    flat: int
    gap: int
    late: int
    clock_skew: int
    uncalibrated: int
    stale: int


class QualityHour(Reply, frozen=True, kw_only=True):
    """One closed hour of a sensor: score = completeness × valid_share.

    completeness: readings over those that the sampling interval makes in an hour, 1 at most ·
    valid_share: of the readings, those without any flag; null where there are none, and then the
    score is 0 · flags: null where the readings are no longer in the table.
    """

    start_us: int
    score: float
    completeness: float
    valid_share: float | None
    readings: int
    flags: FlagCounts | None


class SensorQuality(Reply, frozen=True, kw_only=True):
    """GET /v1/sensors/{sensor_id}/quality, in order of time.

    score, completeness: means over the hours · valid_share: of all their readings; null where
    there are none. An hour that is not closed and aggregated yet is left out, and so are those
    before the sensor's first reading.
    """

    sensor_id: UUID
    interval_s: float
    score: float | None
    completeness: float | None
    valid_share: float | None
    hours: tuple[QualityHour, ...]


class QualityOfSensor(Reply, frozen=True, kw_only=True):
    """One sensor of a device over a span; `hours`: how many of it were judged."""

    sensor_id: UUID
    name: str
    sensor_type: str
    score: float | None
    completeness: float | None
    valid_share: float | None
    hours: int
    readings: int
    flags: FlagCounts


class DeviceQuality(Reply, frozen=True, kw_only=True):
    """GET /v1/devices/{device_id}/quality: its active sensors that are not sensitive.

    `score` is the mean of theirs, null where no sensor has one.
    """

    device_id: UUID
    score: float | None
    sensors: tuple[QualityOfSensor, ...]


class FlaggedReading(Reply, frozen=True, kw_only=True):
    """A reading that is not valid, and why; `quality` has the bits of data_quality."""

    t_us: int
    received_us: int
    value: float
    quality: int
    flags: tuple[Flag, ...]


class FlaggedReadings(Reply, frozen=True, kw_only=True):
    """GET /v1/sensors/{sensor_id}/flagged-readings, in order of time.

    `complete` is false where more follow: ask on from behind the last.
    """

    sensor_id: UUID
    unit: str
    readings: tuple[FlaggedReading, ...]
    complete: bool
