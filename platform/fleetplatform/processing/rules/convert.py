"""convert: the same value in another unit, of the same dimension."""

from fleetplatform.processing import units
from fleetplatform.processing.rules import Fit, Floats, Stateless
from fleetplatform.processing.rules import Settings as BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    """unit: as pint spells it (`degF`, `°F`, `kPa`, `m/s`)."""

    unit: str

    def check(self) -> None:
        """The unit must be known."""
        units.check(self.unit)

    @property
    def own_unit(self) -> str | None:
        """As the settings say."""
        return self.unit

    def fit(self, given: tuple[str, ...]) -> Fit:
        """A line for each unit that sensors have; raises ValueError across dimensions."""
        return Fit((units.line_between(given[0], self.unit),), units.SAME, self.unit)

    def operation(self) -> "Convert":
        """Nothing is left to do: the input comes in the wanted unit."""
        return Convert()


class Convert(Stateless):
    """The input as it is."""

    def values(self, *inputs: Floats) -> Floats:
        """The values of n readings."""
        return inputs[0]
