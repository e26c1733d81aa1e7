"""What the key `measure` asks for, each part at its time: fill → beside the load → ask."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import asyncpg

from fleetplatform.admin import History, write_history
from fleetplatform.wire.device_type import SensorType
from fleetsim.ledger.report import Sample
from fleetstorm.config.settings import RunConfig
from fleetstorm.errors import InfrastructureError
from fleetstorm.metrics.storage.ingest import Window
from fleetstorm.metrics.storage.instants import to_datetime
from fleetstorm.metrics.storage.roll import Roll
from fleetstorm.metrics.storage.standard import ask_standard
from fleetstorm.prepare import Prepared
from fleetstorm.progress import View
from fleetstorm.results.storage import Queries, Storage
from fleetstorm.run.backend import Backend, database_errors
from fleetstorm.timeline.coordinator import Span

_UNASKED = (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, OSError)


class Measures:
    """The measurements of one run's storage; those that were not asked for do nothing."""

    def __init__(self, config: RunConfig, view: View) -> None:
        self._config = config
        self._view = view
        wanted = config.measure
        self._window = Window(wanted.ingest.after) if wanted.ingest else None
        self._roll = Roll(wanted.partition_roll.at) if wanted.partition_roll else None
        self._queries: Queries | None = None
        self._reached = asyncio.Event()
        self._over = False

    async def fill(self, backend: Backend, prepared: Prepared, start_us: int) -> None:
        """The readings that are there before the load; raises InfrastructureError."""
        past = self._config.prepare.history
        if past is None or prepared.history_id is None or backend.owner_url is None:
            return
        self._view.phase(f"write {past.readings:,} readings of before")
        until = to_datetime(start_us)
        with database_errors():
            await write_history(
                backend.owner_url,
                History(
                    organization_id=prepared.history_id,
                    devices=past.devices,
                    sensor_types=[SensorType.of(name) for name in past.sensor_types],
                    since=until - timedelta(seconds=past.span),
                    until=until,
                    step=timedelta(seconds=past.interval),
                ),
            )

    async def beside(
        self, load: Coroutine[Any, Any, object], backend: Backend | None, start_us: int
    ) -> None:
        """The load to its end, and what is measured while it is on; raises InfrastructureError."""
        rolling = asyncio.create_task(self._perform_roll(backend, start_us))
        try:
            await load
            self._over = True
            if self._reached.is_set():
                await rolling
        finally:
            rolling.cancel()
            await asyncio.gather(rolling, return_exceptions=True)

    def record(self, sample: Sample, span: Span) -> None:
        """Take a sample of the fleet; those of the draining are no part of the load."""
        if self._over:
            return
        elapsed_s = (sample.virtual_us - span.start_us) / 1e6
        if self._window:
            self._window.record(sample, elapsed_s)
        if self._roll:
            self._roll.record(sample)
            if elapsed_s >= self._roll.at_s:
                self._reached.set()

    async def ask(self, backend: Backend, prepared: Prepared, start_us: int) -> None:
        """The standard queries about the readings of before; raises InfrastructureError."""
        wanted, database = self._config.measure.queries, backend.database
        if wanted is None or database is None or prepared.history_id is None:
            return
        self._view.phase("ask the standard queries")
        try:
            self._queries = await ask_standard(
                database.owner_url, database.urls["iot_api"], prepared.history_id, start_us, wanted
            )
        except _UNASKED as error:
            raise InfrastructureError(f"the standard queries failed: {error}") from error

    def measured(self) -> Storage:
        """What was measured by now; null where it was not."""
        return Storage(
            ingest=self._window.measured() if self._window else None,
            queries=self._queries,
            partition_roll=self._roll.measured() if self._roll else None,
        )

    async def _perform_roll(self, backend: Backend | None, start_us: int) -> None:
        database = backend.database if backend else None
        if self._roll is None or database is None:
            return
        await self._reached.wait()
        try:
            await self._roll.perform(database.urls, database.owner_url, start_us)
        except _UNASKED as error:
            raise InfrastructureError(f"the partitions could not be rolled: {error}") from error
