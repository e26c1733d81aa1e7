"""Readings on their way: a report's columns, and the pieces of it that each sender carries."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True, eq=False)
class Report:
    """What a group of senders has to report at one slot; sorted by sender, then by time.

    sensor: int32, local index in the shard · tick: int64 · t_us: int64 µs since 1970, virtual ·
    raw: float64 as the sensor sends it · hashes: uint64, the ledger's, taken before anything is
    encoded · intended_us: the slot on the wall clock, when all of this should leave · `texts` is
    room for a transport that writes each reading as text, once.
    """

    sensor: NDArray[np.int32]
    tick: NDArray[np.int64]
    t_us: NDArray[np.int64]
    raw: NDArray[np.float64]
    hashes: NDArray[np.uint64]
    intended_us: int
    texts: list[str] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.t_us)


class Piece(NamedTuple):
    """Readings [start, stop) of a report, all of one sender."""

    report: Report
    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many readings these are."""
        return self.stop - self.start

    def split(self, size: int) -> "tuple[Piece, Piece]":
        """The oldest `size` readings and the rest."""
        middle = self.start + size
        return Piece(self.report, self.start, middle), Piece(self.report, middle, self.stop)


def count(pieces: list[Piece]) -> int:
    """How many readings the pieces hold."""
    return sum([stop - start for _, start, stop in pieces])
