"""Which readings are asked for, and the columns in which they come."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa

from fleetplatform.errors import InvalidError
from fleetplatform.timeseries.instants import to_datetime

BATCH_ROWS = 20_000
EARLIEST_US = 0
LATEST_US = 7_258_118_400_000_000
"""2200-01-01, after the last partition."""

SCHEMA = pa.schema(
    [
        pa.field("sensor_id", pa.binary(16), nullable=False),
        pa.field("device_id", pa.binary(16), nullable=False),
        pa.field("t", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("received", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("raw", pa.float64()),
        pa.field("quality", pa.int16(), nullable=False),
        pa.field("is_anomaly", pa.bool_(), nullable=False),
        pa.field("score", pa.float32()),
    ]
)
"""Of an export's batches."""


@dataclass(frozen=True, slots=True)
class Span:
    """[since_us, until_us) of measurement time; raises InvalidError where that is empty."""

    since_us: int
    until_us: int

    def __post_init__(self) -> None:
        if not EARLIEST_US <= self.since_us < self.until_us <= LATEST_US:
            raise InvalidError(
                "since_us, until_us: give a time and a later one, in µs since 1970, before 2200",
                code="invalid_span",
            )

    @property
    def bounds(self) -> dict[str, Any]:
        """As parameters of a query."""
        return {"since": to_datetime(self.since_us), "until": to_datetime(self.until_us)}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which readings; None takes all. `sensor_type` is a code of the catalogue."""

    sensor_id: UUID | None = None
    device_id: UUID | None = None
    group_id: UUID | None = None
    sensor_type: int | None = None
