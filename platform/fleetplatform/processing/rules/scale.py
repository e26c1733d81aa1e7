"""scale: value × multiplier + offset, in the unit that the settings say, or the input's."""

import math

from fleetplatform.processing import units
from fleetplatform.processing.rules import Fit, Floats, Stateless
from fleetplatform.processing.rules import Settings as BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    """multiplier, offset · unit: of what comes out; null: as the input."""

    multiplier: float = 1.0
    offset: float = 0.0
    unit: str | None = None

    def check(self) -> None:
        """A rule that makes one value of all readings is a mistake."""
        if self.multiplier == 0 or not math.isfinite(1 / self.multiplier):
            raise ValueError("multiplier: 0 would make one value of all readings")
        if self.unit is not None:
            units.check(self.unit)

    @property
    def own_unit(self) -> str | None:
        """As the settings say."""
        return self.unit

    def fit(self, given: tuple[str, ...]) -> Fit:
        """Any unit will do."""
        return Fit((units.SAME,), units.SAME, given[0] if self.unit is None else self.unit)

    def operation(self) -> "Scale":
        """The line."""
        return Scale(self.multiplier, self.offset)


class Scale(Stateless):
    """One line for all sensors."""

    def __init__(self, multiplier: float, offset: float) -> None:
        self._multiplier = multiplier
        self._offset = offset

    def values(self, *inputs: Floats) -> Floats:
        """The values of n readings."""
        return inputs[0] * self._multiplier + self._offset
