"""Bounded store and forward: what a device or gateway keeps until the backend has answered."""

from fleetsim.transport.report import Piece, count


class Buffer:
    """The readings of one sender, oldest first: waiting → held → gone; dropped only from waiting.

    Held are those in the request on its way, and those of an earlier try that may be stored
    already: neither may be dropped, for what became of them is not known.
    """

    __slots__ = ("_capacity", "_waiting", "held", "size")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # A list, not a deque: a hundred thousand empty deques would take 60 MB.
        self._waiting: list[Piece] = []
        self.held: list[Piece] = []
        self.size = 0

    @property
    def waiting(self) -> list[Piece]:
        """What is not in a request, oldest first."""
        return self._waiting

    def put(self, piece: Piece) -> list[Piece]:
        """Keep a piece; returns what was dropped to stay in bounds, oldest first."""
        self._waiting.append(piece)
        self.size += piece.stop - piece.start
        if self.size <= self._capacity:
            return []
        excess = min(self.size - self._capacity, count(self._waiting))
        self.size -= excess
        dropped, self._waiting = _cut(self._waiting, excess)
        return dropped

    def hold(self, size_max: int) -> list[Piece]:
        """What the next request carries: the oldest held and waiting, up to a size.

        It stays held until `settle` or `give_back`; the list is the buffer's own.
        """
        room = size_max - count(self.held)
        if room > 0 and self._waiting:
            taken, self._waiting = _cut(self._waiting, room)
            self.held += taken
        return self.held if room >= 0 else _cut(self.held, size_max)[0]

    def settle(self, size: int) -> list[Piece]:
        """The backend has answered for the `size` oldest held: forget them, and return them."""
        settled, self.held = _cut(self.held, size)
        self.size -= size
        return settled

    def give_back(self, keep: int) -> None:
        """The request was not taken: all but the `keep` oldest readings held are waiting again."""
        self.held, returned = _cut(self.held, keep)
        self._waiting = returned + self._waiting


def _cut(pieces: list[Piece], size: int) -> tuple[list[Piece], list[Piece]]:
    """The oldest `size` readings of the pieces and the rest, splitting a piece where need be."""
    for position, piece in enumerate(pieces):
        if size < piece.size:
            if size == 0:
                return pieces[:position], pieces[position:]
            head, tail = piece.split(size)
            return [*pieces[:position], head], [tail, *pieces[position + 1 :]]
        size -= piece.size
    return pieces, []
