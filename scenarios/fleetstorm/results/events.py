"""The journal of a run: events.jsonl, one line for each thing that happened, as it happens."""

import time
from pathlib import Path
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(enc_hook=str)


class EventLog:
    """Appends events to a file; each line is on the disk's way before `add` returns.

    An event has `wall_us`, `virtual_us` (null while there is no virtual time), `kind`, and fields
    of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)

    def add(self, kind: str, virtual_us: int | None = None, **fields: Any) -> None:
        """Write one event; nothing once the log is closed."""
        if self._file.closed:
            return
        head = {"wall_us": time.time_ns() // 1000, "virtual_us": virtual_us, "kind": kind}
        self._file.write(_encoder.encode(head | fields) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_events(path: Path) -> list[dict[str, Any]]:
    """All events of a journal in the order they happened; a line cut off at the end is left out."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [msgspec.json.decode(line) for line in lines if line.endswith(b"\n")]
