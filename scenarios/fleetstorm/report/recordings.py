"""What the charts need of a run's tables: series over the seconds of the load, and histograms."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetstorm.results import Run

_POINTS_MAX = 400

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """Values of one metric: seconds since the load began, and the value."""

    t_s: Floats
    value: Floats

    def __len__(self) -> int:
        return len(self.t_s)

    def per_second(self) -> "Series":
        """How fast a counter grows; a counter that was reset grows by nothing there."""
        even = self._evenly()
        grown = np.maximum(0.0, np.diff(even.value)) / np.diff(even.t_s)
        return Series(even.t_s[1:], grown)

    def from_nothing(self) -> "Series":
        """A counter with the point at which the load began and it stood at 0."""
        return Series(np.append(0.0, self.t_s), np.append(0.0, self.value))

    def _evenly(self) -> "Series":
        """Without points that another follows at once: a rate over a moment says nothing."""
        spacing = np.diff(self.t_s)
        if len(spacing) == 0:
            return self
        kept = np.append(spacing > np.median(spacing) / 2, True)
        kept[0] = True
        kept &= np.append(spacing > 0, True)
        return Series(self.t_s[kept], self.value[kept])

    def thinned(self) -> "Series":
        """At most 400 points, each the mean of its neighbours."""
        if len(self) <= _POINTS_MAX:
            return self
        edges = np.linspace(0, len(self), _POINTS_MAX + 1).astype(int)[:-1]
        sizes = np.diff(np.append(edges, len(self)))
        return Series(
            np.add.reduceat(self.t_s, edges) / sizes, np.add.reduceat(self.value, edges) / sizes
        )


def series(run: Run, metric: str) -> dict[str, Series]:
    """A metric over time, by the value of its label; the key is "" where it has none."""
    table = run.timeseries
    began_us = _began_us(table)
    table = table.filter(pc.equal(table["metric"], metric))
    t_s = (table["wall_us"].to_numpy() - began_us) / 1e6
    value = table["value"].to_numpy()
    labels = np.array(table["labels"].to_pylist(), dtype=object)
    return {
        _label(text): Series(t_s[labels == text], value[labels == text]) for text in set(labels)
    }


def one(run: Run, metric: str) -> Series:
    """A metric that has no labels, over time; empty if it was not recorded."""
    return series(run, metric).get("", Series(np.zeros(0), np.zeros(0)))


@dataclass(frozen=True)
class Counts:
    """A histogram: bounds of its buckets in ms, and how many values were in each."""

    lower: Floats
    upper: Floats
    count: NDArray[np.int64]


def histogram(run: Run, metric: str, buckets: int) -> Counts | None:
    """A metric's whole histogram in about so many buckets, evenly wide on a log scale."""
    table = run.histograms
    table = table.filter(pc.equal(table["metric"], metric))
    if not table.num_rows:
        return None
    lower, upper, count = (
        table[name].to_numpy() for name in ("bucket_lower", "bucket_upper", "count")
    )
    middle = np.maximum((lower + upper) / 2, 1e-3)
    low, high = np.log10(middle.min()) - 0.02, np.log10(middle.max()) + 0.02
    edges = np.logspace(low, high, buckets + 1)
    summed, _ = np.histogram(middle, bins=edges, weights=count)
    return Counts(edges[:-1], edges[1:], summed.astype(np.int64))


def _began_us(table: Any) -> int:
    """When the load began: one step before its first sample."""
    load = table.filter(pc.equal(table["metric"], "load.emitted"))["wall_us"].to_numpy()
    if len(load) > 1:
        return int(load[0] - (load[1] - load[0]))
    return int(pc.min(table["wall_us"]).as_py() or 0)


def _label(text: str) -> str:
    """Labels as one word: of {"part": "postgres"} the value."""
    return " ".join(msgspec.json.decode(text).values())
