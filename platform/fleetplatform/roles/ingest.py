"""The role ingest: devices send readings, the database gets them."""

import asyncio
import math
import time
from uuid import UUID

import structlog

from fleetplatform.device_api.http import DeviceApi
from fleetplatform.device_api.login import Login
from fleetplatform.ingest.batcher import Batcher
from fleetplatform.ingest.lane import Lane
from fleetplatform.registry import devices
from fleetplatform.registry.directory import Directory
from fleetplatform.registry.freshness import Freshness
from fleetplatform.roles.part import DATABASE_ROLES, App, Shared
from fleetplatform.timeseries.instants import to_datetime

ROLE = "ingest"
CONTACT_INTERVAL_S = 30.0
"""So often last contacts are written, and more often where virtual time is fast."""
CONTACT_LOOK_S = 1.0
CONTACT_ROWS_MAX = 5_000

_log = structlog.get_logger()


class IngestRole:
    """The way of a reading from the network to a commit."""

    def __init__(self, shared: Shared) -> None:
        settings = shared.settings
        self._pool = shared.pools[ROLE]
        self._clock = shared.clock
        self._offline_after_s = settings.platform.registry.offline_after
        self._directory = Directory()
        url = settings.database_urls[DATABASE_ROLES[ROLE]]
        self._freshness = Freshness(self._directory, self._pool, url)
        self._lane = Lane(url)
        self._batcher = Batcher(
            self._directory,
            self._pool,
            settings.platform,
            shared.clock.now_us,
            shared.metrics,
            self._lane,
        )
        login = Login(self._directory, self._freshness)
        api = DeviceApi(self._directory, login, self._batcher, settings.platform.ingest)
        self.routes: dict[str, App] = {"/v1/readings": api}
        self._contact: asyncio.Task[None] | None = None
        shared.settle.append(self._batcher.settle)

    async def start(self) -> None:
        """Take the lane, load the directory and the engine's state, and take readings."""
        await self._lane.take()
        await self._freshness.start()
        await self._batcher.start()
        self._contact = asyncio.create_task(self._record_contact(), name="contact")

    def is_ready(self) -> bool:
        """Whether readings are taken."""
        return self._freshness.loaded and self._batcher.started and self._lane.held

    async def drain(self) -> None:
        """Commit or refuse every reading in flight."""
        await self._batcher.close()

    async def close(self) -> None:
        """Stop the jobs beside the way of a reading."""
        if self._contact is not None:
            self._contact.cancel()
            await asyncio.gather(self._contact, return_exceptions=True)
            await self._write_contact()
        await self._freshness.close()
        await self._lane.close()

    async def _record_contact(self) -> None:
        written_s = time.monotonic()
        while True:
            await asyncio.sleep(CONTACT_LOOK_S)
            if time.monotonic() - written_s >= self._contact_interval_s():
                await self._write_contact()
                written_s = time.monotonic()

    def _contact_interval_s(self) -> float:
        """Twice in the time after which a device is taken for offline, by the wall clock."""
        speed = self._clock.law.speed
        return min(CONTACT_INTERVAL_S, self._offline_after_s / (2 * speed) if speed else math.inf)

    async def _write_contact(self) -> None:
        """Write down which devices were heard of; what cannot be waits for its next turn."""
        device, seen_us = self._batcher.contact.take()
        high, low = self._directory.device_high[device], self._directory.device_low[device]
        for start in range(0, len(device), CONTACT_ROWS_MAX):
            rows = slice(start, start + CONTACT_ROWS_MAX)
            halves = zip(high[rows].tolist(), low[rows].tolist(), strict=True)
            try:
                await devices.record_contact(
                    self._pool,
                    [UUID(int=h << 64 | n) for h, n in halves],
                    [to_datetime(us) for us in seen_us[rows].tolist()],
                )
            except Exception as error:  # a detail for people; readings go on without it
                _log.warning("last contact not written", error=repr(error))
                self._batcher.contact.give_back(device[start:], seen_us[start:])
                return
