"""What a processing rule makes of readings, one file a kind; arrays in, arrays out.

A kind's module has a struct `Settings`, derived from the one here: its fields are what a rule's
`settings` may hold, `check` refuses what is impossible, `fit` says into which units the inputs must
be brought and what unit comes out, and `operation` makes the array operation. An operation that
remembers nothing is a `Stateless`; any other one has what `Operation` has, and a `look_back_s`.
"""

import math
from enum import IntFlag
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from fleetconf import kinds
from fleetplatform.processing.units import SAME, Line

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Sensors = NDArray[np.int32]
Positions = NDArray[np.intp]

LOOK_BACK_MAX_S = 86_400.0
"""So far back a rule may remember: after a restart its state is built from so many hours."""
KEPT_MAX = 512
"""So many readings of a sensor a window holds at most."""

PACKAGE = "fleetplatform.processing.rules"


class Flag(IntFlag):
    """Bits of `processed_data.flag`."""

    VALID = 0
    UNDEFINED = 1
    PARTIAL = 2
    INPUT = 4
    LATE = 8


class Fit(NamedTuple):
    """How a rule fits the units of its inputs.

    inputs: each input's way into the unit in which the operation takes it · output: from what the
    operation gives to `unit`.
    """

    inputs: tuple[Line, ...]
    output: Line
    unit: str


class Made(NamedTuple):
    """What an operation makes of n readings.

    at: of which readings, in order · value: not finite where it is undefined · partial: where a
    window held more than it keeps, None where nowhere · state: for `settle`, once it is committed.
    """

    at: Positions
    value: Floats
    partial: NDArray[np.bool_] | None = None
    state: Any = None


class Operation(Protocol):
    """`make` moves nothing: state moves by `settle`, with what `make` gave, after the commit."""

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""

    def make(self, sensor: Sensors, t_us: Times, inputs: tuple[Floats, ...]) -> Made:
        """What n readings make, sorted by sensor and time, in measurement order per sensor."""
        ...

    def settle(self, state: Any) -> None:
        """Remember what `make` has given."""


class Stateless:
    """Base of operations that remember nothing: `values` is all they have."""

    def reserve(self, sensors: int) -> None:
        """There is nothing to remember."""

    def settle(self, state: Any) -> None:
        """There is nothing to remember."""

    def make(self, sensor: Sensors, t_us: Times, inputs: tuple[Floats, ...]) -> Made:
        """A value for each reading."""
        return Made(np.arange(len(sensor)), self.values(*inputs))

    def values(self, *inputs: Floats) -> Floats:
        """The value of each of n readings."""
        raise NotImplementedError


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a kind's settings. FROM_OUTPUTS: its state is what it gave last, not what it took."""

    FROM_OUTPUTS: ClassVar[bool] = False

    def check(self) -> None:
        """Raise ValueError with one sentence for settings that cannot be."""

    @property
    def input_count(self) -> int:
        """How many inputs it takes."""
        return 1

    @property
    def look_back_s(self) -> float:
        """How old what it remembers can be; 0 for an operation that remembers nothing."""
        return 0.0

    @property
    def depth(self) -> int:
        """How many readings of a sensor it remembers."""
        return 1

    @property
    def own_unit(self) -> str | None:
        """The unit of what comes out whatever goes in; None where that follows from the inputs."""
        return None

    def fit(self, units: tuple[str, ...]) -> Fit:
        """How it fits these units, one an input; raises ValueError where it does not."""
        return Fit((SAME,) * len(units), SAME, units[0])

    def operation(self) -> Operation:
        """The array operation."""
        raise NotImplementedError


def parse(kind: str, settings: dict[str, Any]) -> Settings:
    """A rule's settings, checked; raises ValueError with one sentence."""
    if kind not in kinds.names(PACKAGE):
        raise ValueError(f"kind: {kind!r} is not one of {', '.join(kinds.names(PACKAGE))}")
    wanted: type[Settings] = kinds.load(PACKAGE, kind).Settings
    try:
        found = msgspec.convert(settings, wanted)
    except (msgspec.ValidationError, OverflowError) as error:
        raise ValueError(f"settings: {error}") from None
    for name in found.__struct_fields__:
        value = getattr(found, name)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"settings: {name} is not a finite number")
    try:
        found.check()
    except ValueError as error:
        raise ValueError(f"settings: {error}") from None
    return found


def check_span(name: str, seconds: float) -> None:
    """Raise ValueError for a time that a rule cannot look back."""
    if not 0 < seconds <= LOOK_BACK_MAX_S:
        raise ValueError(f"{name} must lie above 0 and be {LOOK_BACK_MAX_S:,.0f} at most")
