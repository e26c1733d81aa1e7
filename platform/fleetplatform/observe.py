"""What a process says of itself: its log as JSON lines, its metrics for Prometheus."""

import logging
import sys

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BATCH_BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip


def configure_log() -> None:
    """Write every log line as one JSON object to standard error; call once a process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


class Metrics:
    """The platform's counters; names begin with `fleetstorm_`. Each has a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._stored = self._counter("readings_stored", "Readings committed to sensor_data.")
        self._duplicate = self._counter("readings_duplicate", "Readings that were stored before.")
        self._conflict = self._counter(
            "readings_conflict", "Duplicates that came with another value; the first stays."
        )
        self._rejected = self._counter(
            "readings_rejected", "Readings that were not taken, by code.", ("code",)
        )
        self._over_quota = self._counter(
            "requests_over_quota", "Requests refused since a quota is used up.", ("quota",)
        )
        self._processed = self._counter("values_processed", "Values that processing rules made.")
        self._undefined = self._counter(
            "values_undefined", "Of these, the ones without a value, such as a division by zero."
        )
        self._raised = self._counter("alerts_raised", "Alerts raised.")
        self._cleared = self._counter("alerts_cleared", "Alerts cleared by a reading.")
        self._queue = Gauge(
            "fleetstorm_queue_readings",
            "Readings that wait or are being stored.",
            registry=self.registry,
        )
        self._batch = Histogram(
            "fleetstorm_batch_seconds",
            "From closing a micro-batch to its commit.",
            buckets=_BATCH_BUCKETS_S,
            registry=self.registry,
        )

    def _counter(self, name: str, help_: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"fleetstorm_{name}", help_, labels, registry=self.registry)

    def batch_stored(
        self, rows: int, duplicates: int, conflicts: int, raised: int, cleared: int, seconds: float
    ) -> None:
        """One micro-batch was committed."""
        self._stored.inc(rows)
        self._duplicate.inc(duplicates)
        self._conflict.inc(conflicts)
        self._raised.inc(raised)
        self._cleared.inc(cleared)
        self._batch.observe(seconds)

    def values_processed(self, values: int, undefined: int) -> None:
        """Rules made so many values of a batch, of which so many are undefined."""
        self._processed.inc(values)
        self._undefined.inc(undefined)

    def readings_refused(self, code: str, count: int) -> None:
        """Readings were rejected with a code."""
        self._rejected.labels(code).inc(count)

    def request_over_quota(self, quota: str) -> None:
        """A request was refused, for its organization has used up a quota."""
        self._over_quota.labels(quota).inc()

    def queue(self, rows: int) -> None:
        """So many readings wait or are being stored."""
        self._queue.set(rows)

    def page(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
