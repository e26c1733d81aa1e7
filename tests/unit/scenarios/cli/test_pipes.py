"""Output that nobody reads any more."""

import os

from rich.console import Console

from fleetstorm.cli.pipes import Unbreakable


def test_rich_goes_on_after_the_reader_has_gone() -> None:
    """It would end the program with SystemExit(1), and a run would lose its exit code."""
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as stream:
        console = Console(file=Unbreakable(stream))  # type: ignore[arg-type]
        for _ in range(3):
            console.print("a line " * 10_000)
        print("more", file=Unbreakable(stream), flush=True)  # type: ignore[call-overload]
