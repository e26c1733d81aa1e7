"""Engines turn admitted readings into rows and alerts, in one transaction; one file each.

A kind is a module with `make(settings, directory, keys)`. One that scores by whatever detector is
chosen says `TAKES_ANY_DETECTOR = True`; the others have three_sigma in SQL.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fleetconf import kinds
from fleetplatform.database.pool import Pool
from fleetplatform.errors import SettingsError
from fleetplatform.ingest.submission import Arrivals
from fleetplatform.registry.directory import Directory
from fleetplatform.settings import EncryptionKeys, PlatformSettings


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the accepted readings of a batch.

    duplicate: bool for each accepted reading, stored before or earlier in the batch · conflicts:
    how many of these came with another value.
    """

    duplicate: NDArray[np.bool_]
    conflicts: int
    alerts_raised: int
    alerts_cleared: int


class Engine(Protocol):
    """One lane: batches are stored one after another, and state moves only with a commit."""

    async def load(self, pool: Pool, now_us: int) -> None:
        """Build the state from the database; `now_us` is virtual time."""

    async def restore(self, pool: Pool, now_us: int) -> None:
        """Before a batch: build the state anew if the last one failed; may take long."""

    async def store(
        self, pool: Pool, arrivals: Arrivals, accepted: NDArray[np.intp]
    ) -> Stored:
        """Store the accepted readings; returns after commit. On any error nothing has moved."""
        ...

    async def checkpoint(self, pool: Pool) -> None:
        """Write the state down, so that a later `load` is quick."""


def make_engine(
    settings: PlatformSettings, directory: Directory, keys: EncryptionKeys | None = None
) -> Engine:
    """The engine of that kind; raises SettingsError for one that does not exist.

    Without keys it is given no readings of sensitive sensors.
    """
    found = kinds.find("fleetplatform.ingest.engines")
    if settings.engine.kind not in found:
        names, kind = ", ".join(sorted(found)), settings.engine.kind
        raise SettingsError(f"platform.engine.kind: no engine {kind!r}; use {names}")
    module, detector = found[settings.engine.kind], settings.ingest.detector
    if detector != "three_sigma" and not getattr(module, "TAKES_ANY_DETECTOR", False):
        raise SettingsError(
            f"platform.ingest.detector: the engine {settings.engine.kind} computes three_sigma in"
            f" SQL and has no {detector}; use detector three_sigma, or engine=stream"
        )
    engine: Engine = module.make(settings, directory, keys)
    return engine


def by_sensor_and_time(
    sensor: NDArray[np.int32], measured_us: NDArray[np.int64]
) -> NDArray[np.intp]:
    """The stable order by sensor, then time: the earlier arrival of two equal readings first."""
    if len(sensor) < 2:
        return np.arange(len(sensor))
    step = np.diff(sensor)
    if (step > 0).all():
        return np.arange(len(sensor))
    return np.lexsort((measured_us, sensor))
