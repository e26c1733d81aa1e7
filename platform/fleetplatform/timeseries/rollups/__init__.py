"""Each sensor's closed hours in few numbers, kept by the worker in one of several ways.

A way is a kind, `platform.rollups.kind`; the database knows which one was chosen. Whichever it is,
hours are read in iot.sensor_hours, and days in iot.sensor_daily_aggregates. Entry: `refresh`.
"""

from typing import Any

import asyncpg

from fleetconf.kinds import load as load_kind
from fleetconf.kinds import names
from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.errors import SettingsError

KINDS = f"{__name__}.kinds"

_queries: Any = load(__file__)


async def choose(conn: asyncpg.Connection, kind: str) -> None:
    """Keep closed hours in this way from now on; by the owner.

    Where it was another until now, the worker makes them anew from the readings that are there.
    Raises SettingsError for a kind that does not exist.
    """
    known = names(KINDS)
    if kind not in known:
        raise SettingsError(
            f"platform.rollups.kind: no kind {kind!r}; there are {', '.join(known)}"
        )
    await _queries.choose_rollups(conn, kind=kind)


async def refresh(pool: Pool, now_us: int, speed: float = 1.0) -> int:
    """Bring the hours up to date as of a virtual time, in the way that was chosen.

    now_us: virtual time, of which a second of the wall clock has `speed`. How many rows were made,
    as far as the kind knows.
    """
    chosen = await _queries.chosen_kind(pool)
    made: int = await load_kind(KINDS, chosen).refresh(pool, now_us, speed)
    return made
