"""From old keys to the active one: readings encrypted anew, some thousands a transaction."""

from dataclasses import dataclass
from typing import Any

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.settings import EncryptionKeys

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a pass over readings of sensitive sensors found; unreadable: no key opens them."""

    seen: int
    changed: int
    unreadable: int


async def rotate(pool: Pool, keys: EncryptionKeys, rows_max: int) -> Rotated:
    """Encrypt with the active key whatever is encrypted with another of the keys.

    A pass goes over the readings in the order of sensor and time, `rows_max` in a transaction;
    where it stands is in the table key_rotations, so one that was cut short is taken up again.
    """
    seen = changed = unreadable = 0
    finished = False
    while not finished:
        async with pool.acquire() as conn, conn.transaction():
            piece = await _queries.rotate_keys(
                conn,
                key_id=keys.active,
                rows_max=rows_max,
                key_ids=keys.ids,
                keys=keys.secrets,
            )
        seen += piece["seen"]
        changed += piece["changed"]
        unreadable += piece["unreadable"]
        finished = piece["finished"]
    return Rotated(seen, changed, unreadable)
