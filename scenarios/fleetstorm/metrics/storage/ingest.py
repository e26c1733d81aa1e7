"""How much is stored a second while more is offered than can be stored."""

from fleetsim.ledger.report import Sample
from fleetstorm.results.storage import Ingest

_SATURATED = 1.02
"""Offered by stored: above, more was offered than could be stored."""


class Window:
    """Counts what is emitted and acknowledged from one moment of the load to its end.

    Samples come about once a second, so the window begins with the first one at or after `after_s`.
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._began_us: int | None = None
        self._ended_us = 0
        self._emitted = 0
        self._acknowledged = 0

    def record(self, sample: Sample, elapsed_s: float) -> None:
        """Take a sample of the load; those of the draining must not come here."""
        if self._began_us is not None:
            self._emitted += sample.emitted
            self._acknowledged += sample.acknowledged
            self._ended_us = sample.wall_us
        elif elapsed_s >= self._after_s:
            self._began_us = sample.wall_us

    def measured(self) -> Ingest | None:
        """Readings a second of the wall clock; None if the load never came that far."""
        if self._began_us is None or self._ended_us <= self._began_us:
            return None
        seconds = (self._ended_us - self._began_us) / 1e6
        return Ingest(
            stored_per_s=self._acknowledged / seconds,
            offered_per_s=self._emitted / seconds,
            saturated=self._emitted > _SATURATED * self._acknowledged,
        )
