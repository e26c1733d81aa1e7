"""Output whose reader may go away: `fleetstorm list metrics | head -1` is no error."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO, cast


class Unbreakable:
    """A stream that goes on into nothing when nobody reads it any more.

    Without it Rich ends the program with exit code 1, and a run would lose its verdict's.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or drop what nobody reads."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._let_go()
            return len(text)

    def flush(self) -> None:
        """Hand on what was written, or drop it."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._let_go()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _let_go(self) -> None:
        """Point the file itself at nothing, for what is still buffered goes there too."""
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)


def outlive_readers() -> None:
    """Make standard output and standard error unbreakable."""
    sys.stdout = cast(TextIO, Unbreakable(sys.stdout))
    sys.stderr = cast(TextIO, Unbreakable(sys.stderr))
