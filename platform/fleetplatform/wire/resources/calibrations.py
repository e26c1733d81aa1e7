"""Calibrations of sensors, and what is calibrated again."""

from typing import Literal
from uuid import UUID

from fleetplatform.wire.resources.body import Body, Reply


class Curve(Body, frozen=True, kw_only=True, omit_defaults=True):
    """What a raw value x means: x × multiplier + offset, or c0 + c1·x + c2·x² + … to x⁵.

    Either multiplier, offset or both (1 and 0 where not given), or coefficients, the lowest first.
    """

    multiplier: float | None = None
    offset: float | None = None
    coefficients: tuple[float, ...] | None = None


class NewSensorCalibration(Curve, frozen=True, kw_only=True, omit_defaults=True):
    """POST /v1/sensors/{sensor_id}/calibrations; null `valid_from_us`: it always held.

    Readings measured at `due_at_us` and later are marked uncalibrated until the next one holds.
    """

    valid_from_us: int | None = None
    due_at_us: int | None = None
    performed_by: str | None = None
    note: str | None = None


class Calibration(Reply, frozen=True, kw_only=True):
    """A calibration; multiplier and offset of a straight line, coefficients of a polynomial.

    `performed_by` is who did the work, in words; `actor` who entered it.
    """

    calibration_id: UUID
    organization_id: UUID
    sensor_id: UUID
    multiplier: float | None
    offset: float | None
    coefficients: tuple[float, ...] | None
    valid_from_us: int | None
    due_at_us: int | None
    performed_by: str | None
    note: str | None
    actor: str | None
    created_at_us: int


class Calibrations(Reply, frozen=True, kw_only=True):
    """A sensor's history in order of `valid_from_us`, or what is due, the soonest first."""

    calibrations: tuple[Calibration, ...]
    next_cursor: str | None


class Interval(Body, frozen=True, kw_only=True):
    """POST /v1/sensors/{sensor_id}/reprocess: readings measured from one time to before another."""

    from_us: int
    to_us: int


class Reprocessing(Reply, frozen=True, kw_only=True):
    """A job that calibrates stored readings again.

    After `running` all readings that were stored are done; `settling` waits for what was on its
    way meanwhile and looks a second time. Times but `from_us` and `to_us` are of the wall clock.
    """

    job_id: UUID
    organization_id: UUID
    sensor_id: UUID
    from_us: int
    to_us: int
    state: Literal["waiting", "running", "settling", "done", "failed"]
    rows_done: int
    rows_changed: int
    actor: str
    created_at_us: int
    finished_at_us: int | None
