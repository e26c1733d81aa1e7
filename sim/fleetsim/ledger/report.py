"""What the ledger tells the driver and the court: plain columns, merged over all shards."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from fleetsim.ledger.histogram import Histogram
from fleetsim.ledger.truth import Interval


class Disposition(IntEnum):
    """What became of one reading that was emitted; exactly one of these.

    BUFFERED: never left its device · INDETERMINATE: sent and not answered, 0 or 1 rows are right.
    """

    ACKNOWLEDGED = 0
    REJECTED = 1
    DROPPED = 2
    WITHHELD = 3
    BUFFERED = 4
    INDETERMINATE = 5


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """One alert that must have come; `sensor` is an index into the report's sensors.

    raised_us, resolved_us: measurement times of the readings that began and ended it, resolved_us
    -1 while it is active · certain: False where a reading whose fate is not known could have
    kept it from being raised, so that it may be there or not.
    """

    rule: str
    sensor: int
    raised_us: int
    resolved_us: int
    certain: bool


@dataclass(slots=True, eq=False)
class LedgerReport:
    """The books of the whole fleet; S sensors, ordered by device and position in the device.

    For each sensor: emitted = withheld + dropped + rejected + acknowledged + buffered +
    indeterminate. The dictionaries hold one int64[S] a cause or code. acknowledged_hash is the sum
    modulo 2^64 of `digest.reading_hash` over the sensor's acknowledged readings. multiplier and
    offset are the simulator's own calibration: calibrated = raw × multiplier + offset.
    organization: index of the sensor's among the fleet's · unknown_from_us: time of the sensor's
    first indeterminate reading, int64's largest without one.
    duplicates: readings that receipts called duplicates · requests: attempts of all senders.
    """

    sensor_high: NDArray[np.uint64]
    sensor_low: NDArray[np.uint64]
    device_ordinal: NDArray[np.int64]
    sensor_ordinal: NDArray[np.int16]
    sensor_name: list[str]
    serial: list[str]
    emitted: NDArray[np.int64]
    acknowledged: NDArray[np.int64]
    buffered: NDArray[np.int64]
    indeterminate: NDArray[np.int64]
    acknowledged_hash: NDArray[np.uint64]
    multiplier: NDArray[np.float64]
    offset: NDArray[np.float64]
    withheld: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    dropped: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    rejected: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    duplicates: int = 0
    requests: int = 0
    digest: str = ""
    truth: list[Interval] = field(default_factory=list)
    expected_alerts: list[ExpectedAlert] = field(default_factory=list)
    organization: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    unknown_from_us: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def sensors(self) -> int:
        """How many sensors the books are of."""
        return len(self.sensor_high)


@dataclass(slots=True, eq=False)
class OrganizationSample:
    """What happened to one organization since the last sample.

    emitted, acknowledged, dropped: readings · refused: requests told to come again, nothing of
    which was stored · response: of the answers, by reading.
    """

    emitted: int = 0
    acknowledged: int = 0
    dropped: int = 0
    refused: int = 0
    response: Histogram = field(default_factory=Histogram)


@dataclass(slots=True, eq=False)
class Sample:
    """What happened since the last sample, all shards merged; times in µs.

    virtual_us, wall_us: where the fleet stands · emitted … requests: since the last sample ·
    buffered: readings not yet answered for, now · response, service, age, schedule_lag: values of
    the answers and slots since the last sample · organizations: one each, where there are several ·
    cpu_s, rss_bytes: of all shard processes, the
    former since their start.
    """

    virtual_us: int = 0
    wall_us: int = 0
    emitted: int = 0
    acknowledged: int = 0
    dropped: int = 0
    rejected: int = 0
    withheld: int = 0
    buffered: int = 0
    requests: int = 0
    duplicates: int = 0
    response: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)
    age: Histogram = field(default_factory=Histogram)
    schedule_lag: Histogram = field(default_factory=Histogram)
    cpu_s: float = 0.0
    rss_bytes: int = 0
    organizations: list[OrganizationSample] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Readings:
    """Emitted readings of some sensors, made again from the seed, by sensor, then by time.

    sensor: index into the report's sensors · raw: as the device sends it · disposition: a
    `Disposition`.
    """

    sensor: NDArray[np.int32]
    t_us: NDArray[np.int64]
    raw: NDArray[np.float64]
    disposition: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.t_us)
