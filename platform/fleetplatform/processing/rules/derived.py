"""derived: one value from several sensors of a device.

A value is made for each reading of the first input, of it and the newest readings of the others
that were measured at or before it.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from fleetplatform.processing import units
from fleetplatform.processing.rules import Fit, Floats, Stateless, check_span
from fleetplatform.processing.rules import Settings as BaseSettings

MAGNUS_B = 17.62
MAGNUS_C = 243.12
"""°C. Dew point over water from −45 to 60 °C: WMO-No. 8, Guide to Instruments and Methods of
Observation, annex 4.B, after Sonntag, Z. Meteorol. 70 (1990)."""


class Settings(BaseSettings, frozen=True, kw_only=True):
    """formula · max_age_s: how much older another input may be than the first · unit: of what
    comes out; null: as the formula gives it.

    dew_point: of air temperature and relative humidity · product, ratio, sum, difference: of two.
    """

    formula: Literal["dew_point", "product", "ratio", "sum", "difference"]
    max_age_s: float = 300.0
    unit: str | None = None

    def check(self) -> None:
        """The unit must be known."""
        check_span("max_age_s", self.max_age_s)
        if self.unit is not None:
            units.check(self.unit)

    @property
    def input_count(self) -> int:
        """All formulas take two."""
        return 2

    @property
    def look_back_s(self) -> float:
        """The other inputs."""
        return self.max_age_s

    @property
    def own_unit(self) -> str | None:
        """As the settings say; a dew point has one of its own."""
        return "degC" if self.unit is None and self.formula == "dew_point" else self.unit

    def fit(self, given: tuple[str, ...]) -> Fit:
        """Raises ValueError where a formula cannot be in these units."""
        lines, unit = _UNITS[self.formula](*given)
        if self.unit is None:
            return Fit(lines, units.SAME, unit)
        return Fit(lines, units.line_between(unit, self.unit), self.unit)

    def operation(self) -> "Derived":
        """The formula."""
        return Derived(_FORMULAS[self.formula])


class Derived(Stateless):
    """The formula for each reading; what the others were is found before."""

    def __init__(self, formula: Callable[[Floats, Floats], Floats]) -> None:
        self._formula = formula

    def values(self, *inputs: Floats) -> Floats:
        """The values of n readings; not finite where the formula has none."""
        return self._formula(*inputs)


def dew_point(temperature: Floats, humidity: Floats) -> Floats:
    """°C from °C and %, by Magnus: NaN or infinite where there is no humidity above zero.

    γ = ln(RH / 100) + b·T / (c + T); T_d = c·γ / (b − γ).
    """
    saturation = MAGNUS_B * temperature / (MAGNUS_C + temperature)
    gamma = np.log(humidity / 100.0) + saturation
    return MAGNUS_C * gamma / (MAGNUS_B - gamma)


def _of_air(temperature: str, humidity: str) -> tuple[tuple[units.Line, ...], str]:
    lines = units.line_between(temperature, "degC"), units.line_between(humidity, "percent")
    return lines, "degC"


def _of_product(a: str, b: str) -> tuple[tuple[units.Line, ...], str]:
    return (units.SAME, units.SAME), units.product(a, b)


def _of_ratio(a: str, b: str) -> tuple[tuple[units.Line, ...], str]:
    return (units.SAME, units.SAME), units.quotient(a, b)


def _of_sum(a: str, b: str) -> tuple[tuple[units.Line, ...], str]:
    return (units.SAME, units.line_between(b, a)), a


def _of_difference(a: str, b: str) -> tuple[tuple[units.Line, ...], str]:
    return (units.SAME, units.line_between(b, a)), units.difference(a)


_UNITS = {
    "dew_point": _of_air, "product": _of_product, "ratio": _of_ratio, "sum": _of_sum,
    "difference": _of_difference,
}  # fmt: skip
_FORMULAS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "dew_point": dew_point,
    "product": np.multiply,
    "ratio": np.divide,
    "sum": np.add,
    "difference": np.subtract,
}
