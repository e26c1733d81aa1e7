"""From what a sensor sent to what it measured."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def calibrate(
    raw: Floats,
    sensor: NDArray[np.int32],
    measured_us: NDArray[np.int64],
    from_us: NDArray[np.int64],
    multiplier: Floats,
    offset: Floats,
) -> tuple[Floats, Floats]:
    """The calibrated values, and the raw ones where they differ (NaN where nothing was changed).

    raw, sensor, measured_us: n readings. from_us, multiplier, offset: shape (K, sensors), the
    calibrations of each sensor in order of the time from which they hold. In force is the last
    one that holds at the time of measurement; calibrated = raw × multiplier + offset.
    """
    factor = np.ones(len(raw))
    addend = np.zeros(len(raw))
    for level in range(len(from_us)):
        holds = measured_us >= from_us[level, sensor]
        factor = np.where(holds, multiplier[level, sensor], factor)
        addend = np.where(holds, offset[level, sensor], addend)
    changed = (factor != 1.0) | (addend != 0.0)
    if not changed.any():
        return raw, np.full(len(raw), np.nan)
    # Beyond what a float holds lies infinity; the range check will say that it is out of range.
    with np.errstate(over="ignore"):
        value = np.where(changed, raw * factor + addend, raw)
    return value, np.where(changed, raw, np.nan)
