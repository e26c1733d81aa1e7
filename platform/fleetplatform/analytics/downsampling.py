"""Fewer points that look like all of them."""

import numpy as np
from numpy.typing import NDArray


def largest_triangle(
    t: NDArray[np.int64], value: NDArray[np.float64], points: int
) -> NDArray[np.intp]:
    """Which of n points to keep so that a line through `points` of them looks like the whole.

    Largest Triangle Three Buckets (S. Steinarsson, "Downsampling Time Series for Visual
    Representation", University of Iceland, 2013): the first and the last point, and of each
    bucket between them the one that makes the largest triangle with the point kept before it and
    the mean of the bucket after it. t: n times in order; points: at least 3.
    """
    n = len(t)
    if n <= points:
        return np.arange(n)
    x = (t - t[0]).astype(np.float64)
    edges = np.linspace(1, n - 1, points - 1).astype(np.intp)
    starts, ends = edges[:-1], edges[1:]
    counts = ends - starts
    mean_x = np.append(np.add.reduceat(x[: n - 1], starts) / counts, x[-1])
    mean_y = np.append(np.add.reduceat(value[: n - 1], starts) / counts, value[-1])
    kept = np.empty(points, dtype=np.intp)
    kept[0], kept[-1] = 0, n - 1
    before = 0
    for bucket, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        after_x, after_y = mean_x[bucket + 1], mean_y[bucket + 1]
        area = np.abs(
            (x[before] - after_x) * (value[start:end] - value[before])
            - (x[before] - x[start:end]) * (after_y - value[before])
        )
        before = start + int(area.argmax())
        kept[bucket + 1] = before
    return kept
