"""Faults, one file a kind: what a sensor does instead of measuring.

A kind is a module with a struct `Settings`: the keys of the fault in a timeline, and what it does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Touched:
    """The n readings that a fault may change, all within its interval.

    value: with the faults before this one · draw(): one uniform number a reading, this fault's
    own · at_begin(): the true value of each sensor's first reading within the interval.
    """

    value: Floats
    draw: Callable[[], Floats]
    at_begin: Callable[[], Floats]


class Effect(NamedTuple):
    """What a fault does to n readings.

    hit: which ones it touches · value: all of them afterwards · withholds: whether those that
    were hit never leave the device.
    """

    hit: NDArray[np.bool_]
    value: Floats
    withholds: bool = False


class FaultSettings(Protocol):
    """What the fault set asks the settings of any kind.

    label: this kind in a run's digest, from 1 and never reused.
    """

    label: ClassVar[int]

    @property
    def severity(self) -> float:
        """In the unit of the sensor; 0 where that says nothing."""

    def act(self, touched: Touched) -> Effect:
        """What happens to the readings; each one's fate depends on nothing but itself."""
