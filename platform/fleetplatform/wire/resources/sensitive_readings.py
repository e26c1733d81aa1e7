"""Readings of a sensitive sensor, decrypted."""

from typing import Any

from fleetplatform.wire.resources.body import Reply


class SensitiveReading(Reply, frozen=True, kw_only=True):
    """One reading; `value` is calibrated, `sent` as it arrived, `m` what came beside it.

    Times in µs since 1970. A value that no JSON number can say, an infinity, is null.
    """

    t_us: int
    received_us: int
    value: float | None
    sent: float | None
    data_quality: int
    m: Any


class SensitiveReadings(Reply, frozen=True, kw_only=True):
    """GET /v1/sensors/{sensor_id}/sensitive-readings, oldest first."""

    readings: tuple[SensitiveReading, ...]
