"""Two sets compared one by one: the readings that were emitted, and the rows that are there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetsim.ledger.report import Disposition, Readings

Indices = NDArray[np.intp]

_MUST = int(Disposition.ACKNOWLEDGED)
_MAY = int(Disposition.INDETERMINATE)


@dataclass(slots=True)
class Rows:
    """The rows of the disputed sensors; `sensor` is an index into the books."""

    sensor: NDArray[np.intp]
    t_us: NDArray[np.int64]
    raw: NDArray[np.float64]


@dataclass(slots=True)
class Findings:
    """Positions of what is wrong.

    lost: in the readings · absent: in the readings, indeterminate ones without a row, which is not
    wrong by itself · unexpected, duplicated: in the rows · altered: in the readings and, in
    the same order, in the rows.
    """

    lost: Indices
    absent: Indices
    unexpected: Indices
    duplicated: Indices
    altered_reading: Indices
    altered_row: Indices


def compare(readings: Readings, rows: Rows) -> Findings:
    """What is wrong with the rows.

    An acknowledged reading needs one row with its value, an indeterminate one may have one, and
    no other may have any. A row too many of the same reading is duplicated.
    """
    reading_key, row_key = _keys(readings, rows)
    order = np.argsort(row_key, kind="stable")
    repeated = np.zeros(len(order), dtype=np.bool_)
    repeated[1:] = row_key[order][1:] == row_key[order][:-1]
    duplicated, single = order[repeated], order[~repeated]

    at = _find(row_key[single], reading_key)
    has_row = at >= 0
    row = single[at[has_row]]
    allowed = np.isin(readings.disposition, (_MUST, _MAY))
    lost = np.flatnonzero(~has_row & (readings.disposition == _MUST))

    with_row = np.flatnonzero(has_row)
    differs = readings.raw[with_row].view(np.uint64) != rows.raw[row].view(np.uint64)
    altered = allowed[with_row] & differs
    never_sent = row[~allowed[with_row]]
    of_no_reading = single[_find(reading_key, row_key[single]) < 0]
    return Findings(
        lost=lost,
        absent=np.flatnonzero(~has_row & (readings.disposition == _MAY)),
        unexpected=np.sort(np.concatenate([never_sent, of_no_reading])),
        duplicated=duplicated,
        altered_reading=with_row[altered],
        altered_row=row[altered],
    )


def _keys(readings: Readings, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One number for each (sensor, time), the same on both sides."""
    times, place = np.unique(np.concatenate([readings.t_us, rows.t_us]), return_inverse=True)
    sensor = np.concatenate([readings.sensor, rows.sensor]).astype(np.int64)
    keys = sensor * max(1, len(times)) + place
    return keys[: len(readings)], keys[len(readings) :]


def _find(among: NDArray[np.int64], wanted: NDArray[np.int64]) -> Indices:
    """Where each wanted key stands among unique keys, -1 where it does not."""
    if not len(among):
        return np.full(len(wanted), -1, dtype=np.intp)
    order = np.argsort(among, kind="stable")
    at = order[np.minimum(np.searchsorted(among, wanted, sorter=order), len(among) - 1)]
    return np.where(among[at] == wanted, at, -1)
