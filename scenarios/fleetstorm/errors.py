"""What can go wrong in the driver, as one tree.

    FleetstormError
    ├── UsageError              2    the user asked for something that is wrong or cannot be
    ├── InfrastructureError     5    a part of the run did not start, or could not be used
    │   └── PartDiedError       5    one of the run's own processes ended before it was ready
    └── Interrupted           130    Ctrl-C, or SIGTERM

The number is the exit code of the program. A verdict is no error: its exit codes (0 pass,
1 failed, 3 void, 4 inconclusive) belong to the verdict.

A message is one clear sentence that says what was wrong, where, and what to do. It is all that a
user sees: no traceback unless they ask for one with --debug.
"""

from __future__ import annotations

from typing import ClassVar


class FleetstormError(Exception):
    """A run, or a command, could not do what it was asked."""

    exit_code: ClassVar[int] = 5

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class UsageError(FleetstormError):
    """Wrong usage or configuration."""

    exit_code = 2


class InfrastructureError(FleetstormError):
    """A part of the run did not start, or could not be used."""


class PartDiedError(InfrastructureError):
    """A process of the run ended before it was ready.

    `part` is its name, `exit_code_of_part` what it ended with (negative: the signal), `log_tail`
    the last lines that it wrote.
    """

    def __init__(self, part: str, exit_code_of_part: int, log_tail: str, log_path: str) -> None:
        self.part = part
        self.exit_code_of_part = exit_code_of_part
        self.log_tail = log_tail
        said = f": {log_tail}" if log_tail else " and wrote nothing"
        super().__init__(
            f"{part} ended with exit code {exit_code_of_part} before it was ready"
            f" (log: {log_path}){said}"
        )


class Interrupted(FleetstormError):  # noqa: N818 (it says what happened; nothing went wrong)
    """Interrupted; what was measured so far is written."""

    exit_code = 130
