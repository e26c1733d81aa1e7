"""What answers mean: many requests at once, as columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetplatform.wire.resources.receipts import Receipt
from fleetsim.shard.dispatch import Settled
from fleetsim.transport.outcome import Refused, Taken
from fleetsim.transport.report import Piece, count

UNNAMED = "unnamed"
"""Code of a reading that was rejected beyond what the receipt names."""
_DOUBTFUL = -1


@dataclass(frozen=True, slots=True)
class Columns:
    """Readings of any pieces, one after the other, each piece oldest first."""

    sensor: NDArray[np.int32]
    tick: NDArray[np.int64]
    t_us: NDArray[np.int64]
    raw: NDArray[np.float64]
    hashes: NDArray[np.uint64]

    @classmethod
    def of(cls, pieces: list[Piece]) -> "Columns":
        """The columns of pieces."""
        if not pieces:
            return _EMPTY
        return cls(
            np.concatenate([r.sensor[start:stop] for r, start, stop in pieces]),
            np.concatenate([r.tick[start:stop] for r, start, stop in pieces]),
            np.concatenate([r.t_us[start:stop] for r, start, stop in pieces]),
            np.concatenate([r.raw[start:stop] for r, start, stop in pieces]),
            np.concatenate([r.hashes[start:stop] for r, start, stop in pieces]),
        )

    def where(self, mask: NDArray[np.bool_] | NDArray[np.intp]) -> "Columns":
        """Some of the readings."""
        return Columns(
            self.sensor[mask], self.tick[mask], self.t_us[mask], self.raw[mask], self.hashes[mask]
        )


_EMPTY = Columns(
    np.empty(0, np.int32),
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.float64),
    np.empty(0, np.uint64),
)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the answers of a while say, by readings.

    acknowledged, rejected: the readings, rejected by code · doubtful: those that were rejected,
    but had been sent before without an answer, so that they may be stored · duplicates: of the
    acknowledged, how many receipts called so · intended_us, first_sent_us, answered_us, sizes: one
    a piece, rejected or not · first_sensor: of each piece · taken_us: when each acknowledged
    reading was answered for.
    """

    acknowledged: Columns
    rejected: dict[str, Columns]
    doubtful: Columns
    duplicates: int
    intended_us: NDArray[np.int64]
    first_sent_us: NDArray[np.int64]
    answered_us: NDArray[np.int64]
    sizes: NDArray[np.int64]
    first_sensor: NDArray[np.int32]
    taken_us: NDArray[np.int64]


def settle(settled: list[Settled]) -> Settlement:
    """The answers of `Dispatcher.collect` as columns."""
    pieces = [piece for request in settled for piece in request.pieces]
    columns = Columns.of(pieces)
    sizes = np.array([stop - start for _, start, stop in pieces], np.int64)
    per_request = np.array([len(request.pieces) for request in settled], np.intp)
    answered_us = np.repeat(np.array([s.answered_us for s in settled], np.int64), per_request)
    sent_us = np.repeat(np.array([s.first_sent_us for s in settled], np.int64), per_request)
    intended_us = np.array([report.intended_us for report, _, _ in pieces], np.int64)
    taken, doubtful, taken_us = columns, _EMPTY, np.repeat(answered_us, sizes)
    rejected = {}
    codes, code_of = _rejections(settled, len(columns.sensor))
    if codes:
        rejected = {code: columns.where(code_of == i) for i, code in enumerate(codes, 1)}
        doubtful = columns.where(code_of == _DOUBTFUL)
        taken, taken_us = columns.where(code_of == 0), taken_us[code_of == 0]
    return Settlement(
        acknowledged=taken,
        rejected=rejected,
        doubtful=doubtful,
        duplicates=sum(
            s.outcome.receipt.duplicates for s in settled if isinstance(s.outcome, Taken)
        ),
        intended_us=intended_us,
        # A reading that joined at a later try was not sent before it was there.
        first_sent_us=np.maximum(sent_us, intended_us),
        answered_us=answered_us,
        sizes=sizes,
        first_sensor=columns.sensor[np.cumsum(sizes) - sizes],
        taken_us=taken_us,
    )


def _rejections(settled: list[Settled], size: int) -> tuple[list[str], NDArray[np.int16]]:
    """The codes met, and for each reading 0, the number of its code from 1, or _DOUBTFUL."""
    numbers: dict[str, int] = {}
    code_of = np.zeros(size, np.int16)
    start = 0
    for request in settled:
        stop = start + count(request.pieces)
        outcome = request.outcome
        if isinstance(outcome, Refused):
            code_of[start:stop] = _number(numbers, outcome.code)
        elif outcome.receipt.rejected_total:
            _mark(code_of[start:stop], numbers, outcome.receipt)
        if request.unanswered:
            sent_before = code_of[start : start + request.unanswered]
            sent_before[sent_before > 0] = _DOUBTFUL
        start = stop
    return list(numbers), code_of


def _mark(code_of: NDArray[np.int16], numbers: dict[str, int], receipt: Receipt) -> None:
    """Write the codes of one receipt to its readings."""
    if receipt.rejected_total > len(receipt.rejected):
        # All of them, else the request would have been sent again in smaller bodies.
        named = {reading.code for reading in receipt.rejected}
        code_of[:] = _number(numbers, named.pop() if len(named) == 1 else UNNAMED)
    for reading in receipt.rejected:
        code_of[reading.index] = _number(numbers, reading.code)


def _number(numbers: dict[str, int], code: str) -> int:
    return numbers.setdefault(code, len(numbers) + 1)
