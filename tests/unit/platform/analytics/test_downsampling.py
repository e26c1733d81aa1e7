"""Points that look like all of them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplatform.analytics.downsampling import largest_triangle


def plainly(t: np.ndarray, value: np.ndarray, points: int) -> list[int]:
    """The same by the words of its author, bucket by bucket and point by point."""
    n = len(t)
    edges = [int(one) for one in np.linspace(1, n - 1, points - 1)]
    kept = [0]
    for i, (start, end) in enumerate(pairwise(edges)):
        after = range(edges[i + 1], edges[i + 2]) if i + 2 < len(edges) else [n - 1]
        x = sum(float(t[j] - t[0]) for j in after) / len(after)
        y = sum(float(value[j]) for j in after) / len(after)
        a = kept[-1]

        def area(j: int, a: int = a, x: float = x, y: float = y) -> float:
            ax, bx = float(t[a] - t[0]), float(t[j] - t[0])
            return abs((ax - x) * (value[j] - value[a]) - (ax - bx) * (y - value[a]))

        kept.append(max(range(start, end), key=area))
    return [*kept, n - 1]


@given(st.integers(4, 300), st.integers(3, 40), st.integers(0, 2**32 - 1))
def test_it_keeps_what_its_author_says(n: int, points: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    t = np.cumsum(random.integers(1, 1_000, n))
    value = random.normal(size=n)
    found = largest_triangle(t, value, points)
    if n <= points:
        assert found.tolist() == list(range(n))
    else:
        assert len(found) == points
        assert (np.diff(found) > 0).all()
        assert found.tolist() == plainly(t, value, points)


@pytest.mark.parametrize("at", [1, 40, 500, 998])
def test_a_single_spike_stays(at: int) -> None:
    value = np.zeros(1_000)
    value[at] = 100.0
    assert at in largest_triangle(np.arange(1_000) * 1_000_000, value, 20)


def test_nothing_and_one_point() -> None:
    for n in (0, 1, 2, 3):
        assert largest_triangle(np.arange(n), np.zeros(n), 3).tolist() == list(range(n))
