"""What one request asks to have stored, and many of them as columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Submission:
    """The readings of one request, lists or arrays of one length.

    device: directory index of the device whose token came · sensor: directory indexes, -1 unknown
    · t_us: µs since 1970 · values: as they arrived · metadata: JSON texts or None · malformed:
    indexes of readings that could not be read.
    """

    device: int
    sensor: Sequence[int] | NDArray[np.int32]
    t_us: Sequence[int] | NDArray[np.int64]
    values: Sequence[float] | NDArray[np.float64]
    metadata: Sequence[str | None] | None = None
    malformed: tuple[int, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.sensor)


@dataclass(slots=True)
class Arrivals:
    """The readings of many requests as columns, in order of arrival; one length each.

    request: int32, which submission · device, sensor: int32 directory indexes · t_us: int64 ·
    raw: float64 · malformed: bool · metadata: object array or None · received_us: one time.
    """

    request: NDArray[np.int32]
    device: NDArray[np.int32]
    sensor: NDArray[np.int32]
    t_us: NDArray[np.int64]
    raw: NDArray[np.float64]
    malformed: NDArray[np.bool_]
    metadata: NDArray[np.object_] | None
    received_us: int

    def __len__(self) -> int:
        return len(self.request)


def gather(submissions: Sequence[Submission], received_us: int) -> Arrivals:
    """Many submissions as one set of columns."""
    sizes = [len(one) for one in submissions]
    starts = np.cumsum([0, *sizes])
    request = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    devices = np.array([one.device for one in submissions], dtype=np.int32)
    malformed = np.zeros(int(starts[-1]), dtype=np.bool_)
    for start, one in zip(starts.tolist(), submissions, strict=False):
        if one.malformed:
            malformed[start + np.array(one.malformed)] = True
    return Arrivals(
        request=request,
        device=devices[request],
        sensor=_joined([one.sensor for one in submissions], np.int32),
        t_us=_joined([one.t_us for one in submissions], np.int64),
        raw=_joined([one.values for one in submissions], np.float64),
        malformed=malformed,
        metadata=_joined_metadata(submissions),
        received_us=received_us,
    )


def _joined(parts: Sequence[Sequence[float] | NDArray[Any]], kind: type) -> NDArray[Any]:
    """Lists of one or two readings are joined as lists first: an array each would cost more."""
    flat: list[float] = []
    arrays: list[NDArray[Any]] = []
    for part in parts:
        if isinstance(part, np.ndarray):
            if flat:
                arrays.append(np.array(flat, dtype=kind))
                flat = []
            arrays.append(part.astype(kind, copy=False))
        else:
            flat.extend(part)
    if flat or not arrays:
        arrays.append(np.array(flat, dtype=kind))
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _joined_metadata(submissions: Sequence[Submission]) -> NDArray[np.object_] | None:
    if all(one.metadata is None for one in submissions):
        return None
    joined: list[str | None] = []
    for one in submissions:
        joined.extend(one.metadata if one.metadata is not None else [None] * len(one))
    out = np.empty(len(joined), dtype=np.object_)
    out[:] = joined
    return out
