"""The two forms of a calibration, straight line and polynomial, as one row of the table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fleetplatform.errors import InvalidError
from fleetplatform.registry.calibrations import HIGHER_MAX
from fleetplatform.wire.resources.calibrations import Curve

COEFFICIENTS_MAX = HIGHER_MAX + 2


@dataclass(frozen=True, slots=True)
class Factors:
    """offset + multiplier·x + higher[0]·x² + …; `higher` None for a straight line."""

    multiplier: float
    offset: float
    higher: tuple[float, ...] | None = None


def factors_of(curve: Curve, place: str = "") -> Factors:
    """What a body says; `place` goes before a refusal.

    Raises InvalidError (invalid_calibration) for both forms or none, for numbers that are not
    finite, and for a curve that gives the same value whatever the sensor sends.
    """
    straight = (curve.multiplier, curve.offset)
    if (curve.coefficients is None) == (straight == (None, None)):
        raise _refusal(place, "give multiplier and offset, or coefficients")
    if curve.coefficients is None:
        return _line(
            1.0 if curve.multiplier is None else curve.multiplier, curve.offset or 0.0, place
        )
    numbers = list(curve.coefficients)
    if not 2 <= len(numbers) <= COEFFICIENTS_MAX:
        raise _refusal(place, f"coefficients: write 2 to {COEFFICIENTS_MAX} numbers, c0 first")
    if not all(map(math.isfinite, numbers)):
        raise _refusal(place, "coefficients: write finite numbers")
    while len(numbers) > 2 and numbers[-1] == 0:
        numbers.pop()
    if len(numbers) == 2:
        return _line(numbers[1], numbers[0], place)
    return Factors(numbers[1], numbers[0], tuple(numbers[2:]))


def _line(multiplier: float, offset: float, place: str) -> Factors:
    if not (math.isfinite(multiplier) and math.isfinite(offset)):
        raise _refusal(place, "multiplier and offset must be finite numbers")
    if multiplier == 0:
        raise _refusal(place, "the multiplier must not be zero: all values would be the same")
    return Factors(multiplier, offset)


def coefficients_of(
    multiplier: float, offset: float, higher: Sequence[float] | None
) -> tuple[float, ...] | None:
    """A polynomial's coefficients, the lowest first; None for a straight line."""
    return None if higher is None else (offset, multiplier, *higher)


def check_due(from_us: int | None, due_us: int | None) -> None:
    """Raise InvalidError (invalid_calibration) for one that is due before it holds."""
    if from_us is not None and due_us is not None and due_us <= from_us:
        raise _refusal("", "due_at_us must be later than valid_from_us")


def _refusal(place: str, message: str) -> InvalidError:
    return InvalidError(f"{place}{message}", code="invalid_calibration")
