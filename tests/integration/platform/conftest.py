"""What the platform's integration tests share: settings, a prepared database, its pools."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.settings import PlatformSettings

Groups = Callable[..., PlatformSettings]
OpenPool = Callable[[str], Awaitable[Pool]]


@pytest.fixture(scope="session")
def make_settings() -> Groups:
    """The shipped settings with a layout and an engine; `layout_keys` are the layout's own."""

    def make(
        layout: str = "monthly_list", engine: str = "stream", **layout_keys: Any
    ) -> PlatformSettings:
        tree = _group("platform/default")
        tree["layout"] = _group(f"layout/{layout}") | layout_keys
        tree["engine"] = _group(f"engine/{engine}")
        return convert(tree, PlatformSettings)

    return make


@pytest.fixture
def platform_settings(make_settings: Groups) -> PlatformSettings:
    """The shipped settings as they stand."""
    return make_settings()


@pytest.fixture
async def prepared(database_url: str, platform_settings: PlatformSettings) -> PreparedDatabase:
    """A fresh database, prepared."""
    return await prepare_database(database_url, platform_settings)


@pytest.fixture
async def owner(prepared: PreparedDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees everything."""
    conn = await asyncpg.connect(prepared.owner_url)
    yield conn
    await conn.close()


@pytest.fixture
async def pool_as(
    prepared: PreparedDatabase, platform_settings: PlatformSettings
) -> AsyncIterator[OpenPool]:
    """Open a pool as a role of the prepared database; closed after the test."""
    async with AsyncExitStack() as opened:

        async def open_as(role: str) -> Pool:
            pool = await open_pool(prepared.urls[role], platform_settings.database, role)
            opened.push_async_callback(pool.close)
            return pool

        yield open_as


def _group(name: str) -> dict[str, Any]:
    path = Path(fleetconf.__file__).parent / f"{name}.yaml"
    tree: dict[str, Any] = yaml.safe_load(path.read_text())
    return tree
