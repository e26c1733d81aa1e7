"""What each role is to the process that runs it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fleetplatform.database.clock import PlatformClock
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.observe import Metrics
from fleetplatform.settings import ProcessSettings

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(slots=True)
class Shared:
    """What the roles of one process share.

    `settle` waits until every reading taken before has been answered for; without the role ingest
    there is nothing to wait for.
    """

    settings: ProcessSettings
    metrics: Metrics
    clock: PlatformClock
    pools: dict[str, Pool]
    settle: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def settled(self) -> None:
        """Return when every reading that was taken before this call has been answered for."""
        for wait in self.settle:
            await wait()


class Part(Protocol):
    """Life: made → start() → is_ready … → drain() → close()."""

    @property
    def routes(self) -> Mapping[str, App]:
        """Applications by exact path; the path "" takes whatever no other takes."""

    async def start(self) -> None:
        """Begin to work; raises what the database raises."""

    def is_ready(self) -> bool:
        """Whether requests can be served."""

    async def drain(self) -> None:
        """Take nothing new; finish or refuse what is in flight."""

    async def close(self) -> None:
        """Stop what still runs."""


DATABASE_ROLES = {"ingest": "iot_ingest", "api": "iot_api", "worker": "iot_worker"}


async def open_pools(settings: ProcessSettings, roles: list[str]) -> dict[str, Pool]:
    """A pool for each role of the process; raises DatabaseError, with none left open."""
    pools: dict[str, Pool] = {}
    try:
        for role in roles:
            name = DATABASE_ROLES[role]
            url = settings.database_urls[name]
            pools[role] = await open_pool(url, settings.platform.database, name)
    except BaseException:
        for pool in pools.values():
            pool.terminate()
        raise
    return pools
