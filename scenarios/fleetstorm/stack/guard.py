"""What has to be done should the driver die without a chance to do it itself."""

from __future__ import annotations

import subprocess


class Guard:
    """A shell that runs a command when the driver is gone; until then it waits, and costs nothing.

    It waits at one end of a pipe whose other end only the driver holds. `dismiss` ends it with
    nothing done.
    """

    def __init__(self, command: str, *arguments: str) -> None:
        """`command` is for /bin/sh and finds its arguments in "$@"."""
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", f"read -r _; {command}", "guard", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """There is nothing to guard any more."""
        self._shell.kill()
        self._shell.communicate()
