"""A recorded series, read from a CSV."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from fleetsim.errors import RecordingError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Points in order of time; times in µs since the first one."""

    time_us: NDArray[np.int64]
    value: NDArray[np.float64]

    @property
    def length_us(self) -> int:
        """From the first point to the last."""
        return int(self.time_us[-1])

    def at(self, time_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """The values at n times from 0 to the length, on straight lines between the points."""
        left = np.searchsorted(self.time_us, time_us, side="right") - 1
        np.minimum(left, len(self.time_us) - 2, out=left)
        begin, end = self.time_us[left], self.time_us[left + 1]
        part = (time_us - begin) / (end - begin)
        low, high = self.value[left], self.value[left + 1]
        line: NDArray[np.float64] = low * (1 - part) + high * part
        return line


def read_recording(path: Path) -> Recording:
    """A CSV with a header and at least the columns time and value; times rise from row to row.

    A time is written in RFC 3339 (UTC where it names no zone) or as seconds. Raises
    RecordingError, which says what is wrong with which line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            points = list(_points(path, file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RecordingError(f"the recording {path} cannot be read: {reason}") from error
    if len(points) < 2:
        raise RecordingError(f"the recording {path} has {len(points)} rows; it takes at least 2")
    time_us = np.array([time for time, _ in points], dtype=np.int64)
    return Recording(time_us - time_us[0], np.array([value for _, value in points]))


def _points(path: Path, file: TextIO) -> Iterator[tuple[int, float]]:
    reader = csv.DictReader(file)
    columns = reader.fieldnames or []
    for name in ("time", "value"):
        if name not in columns:
            found = ", ".join(columns) or "none"
            raise RecordingError(f'the recording {path} has no column "{name}"; it has {found}')
    last_us: int | None = None
    for row in reader:
        where = f"the recording {path}, line {reader.line_num}"
        time_us = _time_us(row["time"], where)
        if last_us is not None and time_us <= last_us:
            raise RecordingError(f"{where}: the time {row['time']} is not after the one before")
        last_us = time_us
        yield time_us, _value(row["value"], where)


def _time_us(text: str | None, where: str) -> int:
    try:
        return round(float(text or "") * 1e6)
    except (ValueError, OverflowError):
        pass
    try:
        instant = datetime.fromisoformat((text or "").strip())
    except ValueError:
        raise RecordingError(f'{where}: "{text}" is not a time') from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _value(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RecordingError(f'{where}: "{text}" is not a finite number')
    return value
