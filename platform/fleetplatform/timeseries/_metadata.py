"""The one field of a reading whose length differs from row to row."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_JSONB_VERSION = 1


def append_metadata(
    records: NDArray[np.void], metadata: NDArray[np.object_] | None
) -> NDArray[np.uint8]:
    """Records as bytes, each followed by its metadata as a field of jsonb.

    metadata: JSON text or None for each record; None leaves the field out of all of them. jsonb
    travels as a version byte and the text.
    """
    size = records.dtype.itemsize
    fixed = records.view(np.uint8).reshape(len(records), size)
    if metadata is None:
        return fixed.reshape(-1)
    present, text, text_length = _encode(metadata)
    field_length = np.where(present, text_length + 1, 0)
    row_length = size + 4 + field_length
    start = np.cumsum(row_length) - row_length
    out = np.empty(int(row_length.sum()), dtype=np.uint8)
    out[start[:, None] + np.arange(size)] = fixed
    announced = np.where(present, field_length, -1).astype(">i4")
    out[(start + size)[:, None] + np.arange(4)] = announced.view(np.uint8).reshape(-1, 4)
    out[(start + size + 4)[present]] = _JSONB_VERSION
    # Byte k of all texts joined goes to its row's text, wherever that begins.
    text_start = np.cumsum(text_length) - text_length
    shift = start + size + 5 - text_start
    out[np.repeat(shift, text_length) + np.arange(len(text))] = text
    return out


def _encode(
    metadata: NDArray[np.object_],
) -> tuple[NDArray[np.bool_], NDArray[np.uint8], NDArray[np.int64]]:
    """Which rows have a text, all texts as UTF-8 side by side, and the bytes of each (0: none)."""
    encoded = pa.array(metadata, type=pa.large_string())
    _, offsets, data = encoded.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[: len(metadata) + 1]
    text = np.frombuffer(data, dtype=np.uint8)[: ends[-1]] if data else np.zeros(0, dtype=np.uint8)
    present = np.asarray(encoded.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    return present, text, np.diff(ends)
