"""Connections of one process, each role under its own name."""

from typing import Any, TypeAlias

import asyncpg
import msgspec

from fleetplatform.database.address import reach
from fleetplatform.database.roles import check_session
from fleetplatform.settings import DatabaseSettings

Connection: TypeAlias = asyncpg.Connection
Pool: TypeAlias = asyncpg.Pool

CONNECT_TIMEOUT_S = 10.0


async def open_pool(url: str, settings: DatabaseSettings, role_name: str) -> Pool:
    """A pool of at most `settings.connections`, logged in as a database role.

    Requests of people (iot_api) are bound by `statement_timeout`; other roles bound their own.
    Raises DatabaseError when the server is not there or the role is not as it must be.
    """
    # What `init` would SET is lost when a connection is released; server settings stay.
    server_settings = {"application_name": f"fleetstorm {role_name}", "timezone": "UTC"}
    if role_name == "iot_api":
        server_settings["statement_timeout"] = str(round(settings.statement_timeout * 1000))
    async with reach(url):
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=settings.connections,
            init=_use_json,
            server_settings=server_settings,
            timeout=CONNECT_TIMEOUT_S,
        )
    try:
        async with reach(url), pool.acquire() as conn:
            await check_session(conn, role_name)
    except BaseException:
        pool.terminate()
        raise
    return pool


async def _use_json(conn: Connection) -> None:
    for name in ("json", "jsonb"):
        await conn.set_type_codec(
            name, schema="pg_catalog", encoder=_to_json, decoder=msgspec.json.decode
        )


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
