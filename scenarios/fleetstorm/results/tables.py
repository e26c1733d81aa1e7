"""The columns of a run's Parquet files, and how what was measured becomes them."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from fleetsim.ledger.histogram import Histogram
from fleetsim.ledger.truth import Interval

TIMESERIES = pa.schema(
    [
        ("wall_us", pa.int64()),
        ("virtual_us", pa.int64()),
        ("metric", pa.string()),
        ("labels", pa.string()),
        ("value", pa.float64()),
    ]
)
"""One value of one metric at one time; `labels` is a JSON object, {} for none."""

HISTOGRAMS = pa.schema(
    [
        ("metric", pa.string()),
        ("wall_s", pa.float64()),
        ("bucket_lower", pa.float64()),
        ("bucket_upper", pa.float64()),
        ("count", pa.int64()),
    ]
)
"""What was counted since the time before: `wall_s` into the load, buckets in ms, upper excluded."""

TRUTH = pa.schema(
    [
        ("kind", pa.string()),
        ("serial", pa.string()),
        ("sensor", pa.string()),
        ("start_us", pa.int64()),
        ("end_us", pa.int64()),
        ("severity", pa.float64()),
    ]
)
"""The injected faults, each an interval of virtual time of one sensor."""


def timeseries_table(rows: Iterable[tuple[int, int, str, Mapping[str, str], float]]) -> Any:
    """Rows (wall_us, virtual_us, metric, labels, value) as a table."""
    encoded = [
        (wall, virtual, metric, encode_labels(labels), float(value))
        for wall, virtual, metric, labels, value in rows
    ]
    return _table(encoded, TIMESERIES)


def histograms_table(parts: Iterable[tuple[str, float, Histogram]]) -> Any:
    """Histograms of µs as (metric, wall_s, increment since the time before), as a table in ms."""
    rows = [
        (metric, wall_s, lower / 1000, upper / 1000, count)
        for metric, wall_s, histogram in parts
        for lower, upper, count in histogram.buckets()
    ]
    return _table(rows, HISTOGRAMS)


def truth_table(truth: Iterable[Interval], names: Mapping[tuple[int, int], tuple[str, str]]) -> Any:
    """The injected faults; `names` gives serial and sensor of (device, sensor) ordinals."""
    rows = [
        (
            interval.kind,
            *names[interval.device_ordinal, interval.sensor_ordinal],
            interval.start_us,
            interval.end_us,
            interval.severity,
        )
        for interval in truth
    ]
    return _table(rows, TRUTH)


def encode_labels(labels: Mapping[str, str]) -> str:
    """Labels as they stand in the table: a JSON object with its keys in order."""
    return msgspec.json.encode(labels, order="sorted").decode()


def _table(rows: list[tuple[Any, ...]], schema: Any) -> Any:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(column, entry.type) for column, entry in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)
