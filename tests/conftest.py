"""What all tests share: one PostgreSQL and one Ray a session, a fresh database for each test."""

import os

# Before anything imports Ray: it would copy the working folder and start workers through uv.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import numpy as np
import pytest
import yaml
from hypothesis import settings
from hypothesis import strategies as st

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.ingest.engines import Engine, Stored, make_engine
from fleetplatform.ingest.submission import Submission, gather
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.registry.directory import Directory
from fleetplatform.settings import EncryptionKeys, PlatformSettings
from fleetplatform.wire.device_type import DeviceTypeSpecification, SensorType
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization
from fleetplatform.wire.specification import PARAMETER_TYPES
from fleetstorm.stack.cluster import start_cluster, stop_cluster
from fleetstorm.stack.postgres import PostgresServer, start_postgres
from fleetstorm.stack.supervisor import Supervisor

# How long an example takes says nothing on a machine that does other things too. CI tries the same
# examples every time: what is new is found where somebody is there to look at it.
settings.register_profile(
    "fleetstorm", deadline=None, print_blob=True, derandomize=os.environ.get("CI") == "true"
)
settings.load_profile("fleetstorm")

MakeSettings = Callable[..., PlatformSettings]
Reading = tuple[int, int, float]
"""Index of a sensor, µs since 1970, value."""


@pytest.fixture(scope="session")
def session_folder() -> Iterator[Path]:
    """A folder that any user may enter, gone after the session."""
    folder = Path(tempfile.mkdtemp(prefix="fleetstorm-tests-", dir="/var/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def private_state(session_folder: Path) -> Iterator[None]:
    """Generated passwords go to a folder of the session, not to the user's own."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(session_folder / "state")
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(scope="session")
async def postgres(session_folder: Path) -> AsyncIterator[PostgresServer]:
    """The session's embedded server; `.url(database)` is the superuser's."""
    folder = session_folder / "postgres"
    folder.mkdir(mode=0o711)
    async with Supervisor() as supervisor:
        yield await start_postgres(supervisor, folder)


@pytest.fixture
async def database_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The superuser's URL of a fresh, empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    await _execute(postgres, f'create database "{name}" template template0')
    yield postgres.url(name)
    await _execute(postgres, f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """The session's Ray."""
    start_cluster(None, num_cpus=2)
    yield
    stop_cluster()


async def _execute(postgres: PostgresServer, statement: str) -> None:
    connection = await asyncpg.connect(postgres.url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _group(name: str) -> dict[str, Any]:
    path = Path(fleetconf.__file__).parent / f"{name}.yaml"
    tree: dict[str, Any] = yaml.safe_load(path.read_text())
    return tree


@pytest.fixture(scope="session")
def make_settings() -> MakeSettings:
    """The shipped settings with a layout, an engine and a detector; `layout_keys` are its own."""

    def make(
        layout: str = "monthly_list",
        engine: str = "stream",
        detector: str = "three_sigma",
        **layout_keys: Any,
    ) -> PlatformSettings:
        tree = _group("platform/default")
        tree["ingest"]["detector"] = detector
        tree["layout"] = _group(f"layout/{layout}") | layout_keys
        tree["engine"] = _group(f"engine/{engine}")
        return convert(tree, PlatformSettings)

    return make


class EngineBench:
    """Engines over a database with some thermometers, without a service around them.

    Sensor 1 is calibrated (× 1.5 − 0.25), the others send what they measure.
    """

    def __init__(
        self,
        pool: Pool,
        directory: Directory,
        prepared: PreparedDatabase,
        owner: asyncpg.Connection,
        make: MakeSettings,
    ) -> None:
        self.pool = pool
        self.directory = directory
        self.owner_url = prepared.owner_url
        self.urls = prepared.urls
        self._owner = owner
        self._make_settings = make

    async def engine(
        self,
        kind: str,
        now_us: int,
        keys: EncryptionKeys | None = None,
        detector: str = "three_sigma",
    ) -> Engine:
        """An engine with its state loaded, and the registry as it is now."""
        await self.directory.refresh(self.pool)
        settings = self._make_settings(engine=kind, detector=detector)
        engine = make_engine(settings, self.directory, keys)
        await engine.load(self.pool, now_us)
        return engine

    async def store(self, engine: Engine, readings: list[Reading], received_us: int) -> Stored:
        """One batch, in order of arrival."""
        sensors, times, values = zip(*readings, strict=True)
        return await self.store_columns(
            engine, np.array(sensors, np.int32), np.array(times), np.array(values), received_us
        )

    async def store_columns(
        self, engine: Engine, sensor: Any, t_us: Any, values: Any, received_us: int
    ) -> Stored:
        """One batch, as arrays."""
        arrivals = gather([Submission(0, sensor, t_us, values)], received_us)
        return await engine.store(self.pool, arrivals, np.arange(len(arrivals)))

    async def execute(self, statements: list[tuple[Any, ...]]) -> None:
        """Statements with their arguments, as the owner, in one transaction."""
        async with self._owner.transaction():
            for statement, *arguments in statements:
                await self._owner.execute(statement, *arguments)

    async def fetch(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """Rows, as the owner; a statement that gives none gives none."""
        return [dict(row) for row in await self._owner.fetch(query, *arguments)]


@pytest.fixture
async def make_engine_bench(
    database_url: str, make_settings: MakeSettings
) -> AsyncIterator[Callable[..., Awaitable[EngineBench]]]:
    """Prepare the test's database with a number of thermometers."""
    async with AsyncExitStack() as stack:

        async def make(thermometers: int = 3) -> EngineBench:
            settings = make_settings()
            prepared = await prepare_database(database_url, settings)
            pools = []
            for role in ("iot_api", "iot_ingest"):
                pools.append(await open_pool(prepared.urls[role], settings.database, role))
                stack.push_async_callback(pools[-1].close)
            await _enrol(pools[0], thermometers)
            owner = await asyncpg.connect(prepared.owner_url)
            stack.push_async_callback(owner.close)
            return EngineBench(pools[1], Directory(), prepared, owner, make_settings)

        yield make


async def _enrol(pool: Pool, thermometers: int) -> None:
    specification = _group("device_type/thermometer")["specification"]
    await device_types.put(pool, convert(specification, DeviceTypeSpecification))
    tenant = await organizations.create(pool, NewOrganization(name="tenant"))
    calibration = NewCalibration(sensor="temperature", multiplier=1.5, offset=-0.25)
    new = [
        NewDevice(
            serial_number=f"d{number}",
            device_type="thermometer",
            calibrations=(calibration,) if number == 1 else (),
        )
        for number in range(thermometers)
    ]
    await devices.enrol(pool, Tenant(tenant.organization_id), new)


@pytest.fixture(scope="session")
def specifications() -> st.SearchStrategy[DeviceTypeSpecification]:
    """Any specification of a device type without a mistake."""
    return _specifications()


_names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
_numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)


@st.composite
def _specifications(draw: st.DrawFn) -> DeviceTypeSpecification:
    """Any specification without a mistake."""
    revisions = draw(st.lists(_names, min_size=1, max_size=4, unique=True))
    some = st.lists(st.sampled_from(revisions), min_size=1, unique=True)
    ranges = st.tuples(_numbers, _numbers).map(sorted)

    def sensor(limits: list[float]) -> dict[str, Any]:
        return {
            "type": draw(st.sampled_from([one.label for one in SensorType])),
            "unit": draw(_names), "min": limits[0], "max": limits[1],
            "resolution": abs(draw(_numbers)), "interval": draw(st.floats(0.001, 1e6)),
            "rate_max": draw(st.none() | st.floats(1e-30, 1e30)),
            "flat_after": draw(st.none() | st.floats(1.1e6, 2e6)),
        }  # fmt: skip

    parameter = st.tuples(st.sampled_from(PARAMETER_TYPES), ranges).map(
        lambda p: {"type": p[0], "min": None, "max": None}
        if p[0] == "boolean" else {"type": p[0], "min": p[1][0], "max": p[1][1]}
    )  # fmt: skip
    command = st.fixed_dictionaries(
        {"description": _names, "parameters": st.dictionaries(_names, parameter, max_size=3)}
    )
    setting = st.one_of(
        st.fixed_dictionaries({"type": st.just("number"), "default": _numbers}),
        st.fixed_dictionaries({"type": st.just("string"), "default": _names}),
        st.fixed_dictionaries({"type": st.just("boolean"), "default": st.booleans()}),
        st.fixed_dictionaries({"type": st.just("integer"), "default": st.integers(-9, 9)}),
    )
    tree = {
        "name": draw(_names), "version": draw(_names), "description": draw(_names),
        "sensors": draw(st.dictionaries(_names, ranges.map(sensor), max_size=5)),
        "commands": draw(st.dictionaries(_names, command, max_size=3)),
        "configuration": {
            "type": "object", "properties": draw(st.dictionaries(_names, setting, max_size=3)),
        },
        "hardware_revisions": revisions,
        "firmware": draw(st.dictionaries(_names, some, max_size=3)),
    }  # fmt: skip
    return msgspec.convert(tree, DeviceTypeSpecification)
