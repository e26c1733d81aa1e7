"""Readings as they are asked for; times are µs since 1970, virtual time, UTC."""

from uuid import UUID

from fleetplatform.wire.resources.body import Reply


class LastReading(Reply, frozen=True, kw_only=True):
    """GET /v1/sensors/{sensor_id}/last; `quality` has the bits of data_quality, 0 is valid."""

    sensor_id: UUID
    unit: str
    t_us: int
    value: float
    quality: int
    is_anomaly: bool
    score: float | None


class Series(Reply, frozen=True, kw_only=True):
    """GET /v1/sensors/{sensor_id}/series: as many points as were asked for at most.

    `readings`: how many there are in the span, of which these points were chosen; so many of them
    are `archived`.
    """

    sensor_id: UUID
    unit: str
    readings: int
    archived: int
    t_us: tuple[int, ...]
    values: tuple[float, ...]


class Bucket(Reply, frozen=True, kw_only=True):
    """Readings of one sensor in [start_us, start_us + width); `deviation` is the sample's."""

    start_us: int
    count: int
    mean: float
    min: float
    max: float
    deviation: float
    valid_share: float
    anomalies: int


class Buckets(Reply, frozen=True, kw_only=True):
    """GET /v1/sensors/{sensor_id}/buckets; a bucket in which nothing was measured is left out."""

    sensor_id: UUID
    unit: str
    width_us: int
    buckets: tuple[Bucket, ...]


class Gap(Reply, frozen=True, kw_only=True):
    """A time without a reading, between two of them or an end of the span."""

    start_us: int
    end_us: int


class Gaps(Reply, frozen=True, kw_only=True):
    """GET /v1/sensors/{sensor_id}/gaps, in order of time; `complete` is false where more follow."""

    sensor_id: UUID
    gaps: tuple[Gap, ...]
    complete: bool


class Anomaly(Reply, frozen=True, kw_only=True):
    """A reading that was marked; `score` in standard deviations of the day before."""

    sensor_id: UUID
    device_id: UUID
    organization_id: UUID
    sensor_type: str
    t_us: int
    value: float
    score: float


class Anomalies(Reply, frozen=True, kw_only=True):
    """GET /v1/anomalies, the furthest from what was usual first."""

    anomalies: tuple[Anomaly, ...]


class LiveReading(Reply, frozen=True, kw_only=True):
    """A reading as it came in; `id` is its place in the order of arrival, to go on after it."""

    id: str
    organization_id: UUID
    device_id: UUID
    sensor_id: UUID
    sensor_type: str
    t_us: int
    received_us: int
    value: float
    quality: int
    is_anomaly: bool
    score: float | None


class Missed(Reply, frozen=True, kw_only=True):
    """Readings that a follower did not get: received in (after_us, until_us].

    count: how many of those it asked for; null where nobody counted them · reason: "slow" (it could
    not keep up), "old" (it came back after too long), "clock" (the virtual clock was set back).
    """

    after_us: int
    until_us: int
    count: int | None
    reason: str


class LiveReadings(Reply, frozen=True, kw_only=True):
    """GET /v1/readings/live, one part, in order of arrival; `next` is the place to go on after."""

    readings: tuple[LiveReading, ...]
    missed: Missed | None
    next: str
