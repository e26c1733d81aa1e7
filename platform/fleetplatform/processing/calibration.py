"""From what a sensor sent to what it measured."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


class History(Protocol):
    """The calibrations of all sensors, one position each; position 0 holds always, changes nothing.

    newest: int32, by sensor, the position of the one that holds from the latest time · previous:
    int32, by position, the one of the same sensor that holds from before it, 0 after the first ·
    from_us, due_us: from when it holds, and from when the next is overdue · multiplier, offset:
    calibrated = raw × multiplier + offset · higher: shape (positions, 4), the factors of raw² to
    raw⁵ · curved: whether it has one that is not zero · is_curved, is_dated: whether any is, is
    ever due.
    """

    @property
    def newest(self) -> NDArray[np.int32]: ...  # noqa: D102
    @property
    def previous(self) -> NDArray[np.int32]: ...  # noqa: D102
    @property
    def from_us(self) -> Times: ...  # noqa: D102
    @property
    def due_us(self) -> Times: ...  # noqa: D102
    @property
    def multiplier(self) -> Floats: ...  # noqa: D102
    @property
    def offset(self) -> Floats: ...  # noqa: D102
    @property
    def higher(self) -> Floats: ...  # noqa: D102
    @property
    def curved(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def is_curved(self) -> bool: ...  # noqa: D102
    @property
    def is_dated(self) -> bool: ...  # noqa: D102


class Calibrated(NamedTuple):
    """n readings: the calibrated value, the raw one where that differs (NaN elsewhere), overdue."""

    value: Floats
    raw: Floats
    overdue: NDArray[np.bool_]


def calibrate(
    raw: Floats, sensor: NDArray[np.int32], measured_us: Times, history: History
) -> Calibrated:
    """What n finite readings mean by the calibration that was in force when each was measured.

    That is the last one that holds at this time. A straight line is raw × multiplier + offset; a
    polynomial is evaluated by Horner's rule, from the highest power down, without fused steps:
    the SQL function iot.calibrated takes the same steps and gives the same bits. `overdue`: the
    calibration in force was due at or before the measurement.
    """
    at = _in_force(sensor, measured_us, history)
    factor, addend = history.multiplier[at], history.offset[at]
    changed = (factor != 1.0) | (addend != 0.0)
    curved = np.zeros(0, dtype=np.intp)
    if history.is_curved:
        curved = np.flatnonzero(history.curved[at])
        changed[curved] = True
    overdue = np.zeros(len(raw), dtype=np.bool_)
    if history.is_dated:
        overdue = measured_us >= history.due_us[at]
    if not changed.any():
        return Calibrated(raw, np.full(len(raw), np.nan), overdue)
    # Beyond what a float holds lies infinity; the range check will say that it is out of range.
    with np.errstate(over="ignore"):
        value = np.where(changed, raw * factor + addend, raw)
        if len(curved):
            higher = history.higher[at[curved]]
            value[curved] = _horner(raw[curved], addend[curved], factor[curved], higher)
    return Calibrated(value, np.where(changed, raw, np.nan), overdue)


def _in_force(
    sensor: NDArray[np.int32], measured_us: Times, history: History
) -> NDArray[np.int32]:
    """The position of the calibration in force for each reading."""
    at = history.newest[sensor]
    early = np.flatnonzero(measured_us < history.from_us[at])
    while len(early):
        at[early] = history.previous[at[early]]
        early = early[measured_us[early] < history.from_us[at[early]]]
    return at


def _horner(x: Floats, c0: Floats, c1: Floats, higher: Floats) -> Floats:
    """c0 + c1·x + higher[:, 0]·x² + …; for finite x never NaN.

    A leading zero adds nothing: 0 × x + c is c. Once infinite the sum stays so, for x is not 0.
    """
    value = higher[:, -1]
    for power in range(higher.shape[1] - 2, -1, -1):
        value = value * x + higher[:, power]
    return (value * x + c1) * x + c0
