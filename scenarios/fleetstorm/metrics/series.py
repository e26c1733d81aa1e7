"""What is recorded over time, kept within bounds however long a run takes."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from fleetsim.ledger.histogram import Histogram
from fleetstorm.results.tables import histograms_table, timeseries_table

_ROWS_IN_LISTS_MAX = 20_000
_WINDOWS_MAX = 256

Row = tuple[int, int, str, Mapping[str, str], float]


class Timeseries:
    """Values of metrics over time; every so many rows they are packed into columns."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._packed: list[Any] = []

    def add(self, wall_us: int, virtual_us: int, metric: str, value: float, **labels: str) -> None:
        """One value at one time."""
        self._rows.append((wall_us, virtual_us, metric, labels, value))
        if len(self._rows) >= _ROWS_IN_LISTS_MAX:
            self._pack()

    def table(self) -> Any:
        """Everything so far, as a table of `results.tables.TIMESERIES`."""
        self._pack()
        return pa.concat_tables(self._packed)

    def _pack(self) -> None:
        self._packed.append(timeseries_table(self._rows))
        self._rows = []


class Distribution:
    """One metric's histogram: the whole, and its growth over time in at most 256 windows.

    When there are more, neighbours are merged, so that windows get twice as long.
    """

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.whole = Histogram()
        self._windows: list[tuple[float, Histogram]] = []
        self._merge = 1
        self._in_window = 0

    def add(self, wall_s: float, increment: Histogram) -> None:
        """What was counted until `wall_s` and since the time before."""
        if not increment.count:
            return
        self.whole.merge(increment)
        if 0 < self._in_window < self._merge:
            self._windows[-1][1].merge(increment)
            self._windows[-1] = (wall_s, self._windows[-1][1])
        else:
            window = Histogram()
            window.merge(increment)
            self._windows.append((wall_s, window))
            self._in_window = 0
        self._in_window += 1
        if len(self._windows) > _WINDOWS_MAX:
            self._halve()

    def parts(self) -> list[tuple[str, float, Histogram]]:
        """Metric, end of the window in seconds, and what was counted in it."""
        return [(self.metric, wall_s, window) for wall_s, window in self._windows]

    def _halve(self) -> None:
        merged = []
        for first, second in zip(self._windows[::2], self._windows[1::2], strict=False):
            first[1].merge(second[1])
            merged.append((second[0], first[1]))
        self._windows = merged + self._windows[2 * len(merged) :]
        self._merge *= 2
        self._in_window = 0


def all_windows(distributions: list[Distribution]) -> Any:
    """The windows of several metrics as a table of `results.tables.HISTOGRAMS`."""
    return histograms_table(part for one in distributions for part in one.parts())
