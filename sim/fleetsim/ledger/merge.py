"""The books and samples of many shards as one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetsim.ledger.report import ExpectedAlert, LedgerReport, OrganizationSample, Sample

_COLUMNS = (
    "sensor_high", "sensor_low", "device_ordinal", "sensor_ordinal", "emitted", "acknowledged",
    "buffered", "indeterminate", "acknowledged_hash", "multiplier", "offset",
    "organization", "unknown_from_us",
)  # fmt: skip
_HISTOGRAMS = ("response", "service", "age", "schedule_lag")
_SUMS = (
    "emitted", "acknowledged", "dropped", "rejected", "withheld", "buffered", "requests",
    "duplicates", "cpu_s", "rss_bytes",
)  # fmt: skip


def merge_reports(reports: Sequence[LedgerReport]) -> LedgerReport:
    """One report of shards in the order of their devices; the digest is set by the caller."""
    starts = np.cumsum([0, *(r.sensors for r in reports)])
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(report, name) for report in reports]) for name in _COLUMNS
    }
    return LedgerReport(
        **columns,
        sensor_name=[name for r in reports for name in r.sensor_name],
        serial=[serial for r in reports for serial in r.serial],
        withheld=_merge_causes(reports, lambda r: r.withheld),
        dropped=_merge_causes(reports, lambda r: r.dropped),
        rejected=_merge_causes(reports, lambda r: r.rejected),
        duplicates=sum(r.duplicates for r in reports),
        requests=sum(r.requests for r in reports),
        truth=[interval for r in reports for interval in r.truth],
        expected_alerts=[
            ExpectedAlert(a.rule, a.sensor + start, a.raised_us, a.resolved_us, a.certain)
            for start, r in zip(starts.tolist(), reports, strict=False)
            for a in r.expected_alerts
        ],
    )


def merge_samples(samples: Sequence[Sample]) -> Sample:
    """One sample of all shards; the fleet stands where its last shard does."""
    merged = Sample(
        virtual_us=min(s.virtual_us for s in samples), wall_us=max(s.wall_us for s in samples)
    )
    for name in _SUMS:
        setattr(merged, name, sum(getattr(s, name) for s in samples))
    for name in _HISTOGRAMS:
        for sample in samples:
            getattr(merged, name).merge(getattr(sample, name))
    merged.organizations = [
        _merge_organization(parts)
        for parts in zip(*(s.organizations for s in samples), strict=True)
    ]
    return merged


def _merge_organization(parts: Sequence[OrganizationSample]) -> OrganizationSample:
    merged = OrganizationSample(
        emitted=sum(part.emitted for part in parts),
        acknowledged=sum(part.acknowledged for part in parts),
        dropped=sum(part.dropped for part in parts),
        refused=sum(part.refused for part in parts),
    )
    for part in parts:
        merged.response.merge(part.response)
    return merged


def _merge_causes(
    reports: Sequence[LedgerReport],
    of: Callable[[LedgerReport], dict[str, NDArray[np.int64]]],
) -> dict[str, NDArray[np.int64]]:
    causes = sorted({cause for r in reports for cause in of(r)})
    return {
        cause: np.concatenate(
            [of(r).get(cause, np.zeros(r.sensors, np.int64)) for r in reports]
        )
        for cause in causes
    }
