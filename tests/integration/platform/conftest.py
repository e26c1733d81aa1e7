"""What the platform's integration tests share: settings, a prepared database, a real service."""

import asyncio
import hashlib
import http.client
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.client import Client
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.settings import (
    EncryptionKeys,
    PlatformSettings,
    ProcessSettings,
    encode_process_settings,
)
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.readings import ARROW_MEDIA_TYPE, JSON_MEDIA_TYPE
from fleetplatform.wire.resources.devices import EnrolledDevice, NewDevice, NewDevices
from fleetstorm.stack.ports import pick_free_port
from fleetstorm.stack.postgres import PostgresServer

Groups = Callable[..., PlatformSettings]
OpenPool = Callable[[str], Awaitable[Pool]]


@pytest.fixture
def platform_settings(make_settings: Groups) -> PlatformSettings:
    """The shipped settings as they stand."""
    return make_settings()


@pytest.fixture(scope="session")
async def template(postgres: PostgresServer, make_settings: Groups) -> str:
    """The name of a prepared database that others are copied from."""
    conn = await asyncpg.connect(postgres.url())
    await conn.execute("create database template_prepared template template0")
    await conn.close()
    await prepare_database(postgres.url("template_prepared"), make_settings())
    return "template_prepared"


@pytest.fixture
async def prepared(
    postgres: PostgresServer, template: str, platform_settings: PlatformSettings
) -> AsyncIterator[PreparedDatabase]:
    """A fresh database, prepared."""
    name = f"prepared_{uuid.uuid4().hex[:12]}"
    conn = await asyncpg.connect(postgres.url())
    await conn.execute(f'create database "{name}" template {template}')
    yield await prepare_database(postgres.url(name), platform_settings)
    await conn.execute(f'drop database "{name}" with (force)')
    await conn.close()


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


OPERATOR_TOKEN = "operator-token-of-the-tests"
DEVICE_TYPES = ("thermometer", "climate_v2", "power_meter", "gateway")
START_TIMEOUT_S = 30.0
KEYS = EncryptionKeys(active="k1", keys={"k1": bytes(range(32))})


@dataclass(frozen=True)
class Answer:
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Tenant:
    """An organization with an API key; `devices` by serial number."""

    organization_id: uuid.UUID
    api_key: str
    devices: dict[str, EnrolledDevice] = field(default_factory=dict)

    def token(self, serial: str) -> str:
        token = self.devices[serial].token
        assert token is not None
        return token

    def sensor(self, serial: str, position: int = 0) -> uuid.UUID:
        return self.devices[serial].sensor_ids[position]


class Service:
    """One process of the platform as a user starts it: start → requests → terminate or kill."""

    def __init__(self, roles: str, settings: ProcessSettings, folder: Path) -> None:
        self.roles = roles
        self.settings = settings
        self.log_path = folder / f"{uuid.uuid4().hex}.log"
        self._settings_path = folder / f"{uuid.uuid4().hex}.json"
        self._settings_path.write_bytes(encode_process_settings(settings))
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://{self.settings.host}:{self.settings.port}"

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    async def spawn(self) -> asyncio.subprocess.Process:
        """Start the process, ready or not."""
        with self.log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "fleetplatform", self.roles, str(self._settings_path),
                stdout=log, stderr=log,
            )  # fmt: skip
        return self.process

    async def start(self) -> "Service":
        process = await self.spawn()
        deadline = time.monotonic() + START_TIMEOUT_S
        while (await self.status("/readyz")) != 200:
            assert process.returncode is None, self.log
            assert time.monotonic() < deadline, self.log
            await asyncio.sleep(0.05)
        return self

    async def terminate(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), START_TIMEOUT_S)

    async def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def status(self, path: str) -> int:
        """The status of a GET; 0 when nothing answers."""
        with suppress(OSError, http.client.HTTPException):
            return (await self.request("GET", path, {}, b"")).status
        return 0

    async def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        return await asyncio.to_thread(_exchange, self.url, method, path, headers, body)

    async def post(
        self, token: str | None, body: Any, *, kind: str = JSON_MEDIA_TYPE, **headers: str
    ) -> Answer:
        """POST /v1/readings; a list becomes the readings of a JSON body."""
        content = body if isinstance(body, bytes) else msgspec.json.encode({"readings": body})
        sent = {"Content-Type": kind} | {k.replace("_", "-"): v for k, v in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return await self.request("POST", "/v1/readings", sent, content)

    async def post_arrow(self, token: str, body: bytes, **headers: str) -> Answer:
        return await self.post(token, body, kind=ARROW_MEDIA_TYPE, **headers)

    def operator(self) -> Client:
        return Client(self.url, OPERATOR_TOKEN)

    async def tenant(self, *devices: NewDevice) -> Tenant:
        """A new organization with some devices."""
        async with self.operator() as operator:
            made = await operator.create_organization(f"tests {uuid.uuid4().hex[:8]}")
        tenant = Tenant(made.organization_id, made.api_key)
        await self.enrol(tenant, *devices)
        return tenant

    async def enrol(self, tenant: Tenant, *devices: NewDevice) -> None:
        if not devices:
            return
        async with Client(self.url, tenant.api_key) as client:
            enrolled = await client.enrol(NewDevices(devices=devices))
        tenant.devices |= {
            new.serial_number: one for new, one in zip(devices, enrolled.devices, strict=True)
        }


StartService = Callable[..., Awaitable[Service]]
Eventually = Callable[..., Awaitable[None]]


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Wait until a condition, plain or a coroutine function, holds; fails after a while."""

    async def wait(condition: Callable[[], Any], timeout_s: float = START_TIMEOUT_S) -> None:
        async with asyncio.timeout(timeout_s):
            while True:
                found = condition()
                if (await found) if isinstance(found, Awaitable) else found:
                    return
                await asyncio.sleep(0.02)

    return wait


@pytest.fixture
async def service_of(
    lasting_service_of: Callable[..., Awaitable[Service]],
) -> AsyncIterator[Callable[..., Awaitable[Service]]]:
    """Make a service on a database; it ends with the test.

    Left alone it would look for its database, busily, until the session ends.
    """
    made: list[Service] = []

    async def make(*place: Any, **settings: Any) -> Service:
        made.append(await lasting_service_of(*place, **settings))
        return made[-1]

    yield make
    for service in made:
        await service.kill()


@pytest.fixture(scope="session")
async def lasting_service_of(
    session_folder: Path, make_settings: Groups
) -> AsyncIterator[Callable[..., Awaitable[Service]]]:
    """The same for services that several tests share."""
    folder = session_folder / "services"
    folder.mkdir(exist_ok=True)
    made: list[Service] = []

    async def make(
        database_url: str, *, roles: str = "ingest+api+worker", engine: str = "stream",
        encryption: EncryptionKeys | None = KEYS, live: Mapping[str, Any] | None = None,
        **ingest: Any,
    ) -> Service:  # fmt: skip
        settings = make_settings(engine=engine)
        changed = msgspec.structs.replace(settings.ingest, **ingest)
        following = msgspec.structs.replace(settings.live, **(live or {}))
        settings = msgspec.structs.replace(settings, ingest=changed, live=following)
        prepared = await prepare_database(database_url, settings)
        process = ProcessSettings(
            platform=settings,
            host="127.0.0.1",
            port=pick_free_port("127.0.0.1"),
            database_urls=prepared.urls,
            operator_token_sha256=hashlib.sha256(OPERATOR_TOKEN.encode()).hexdigest(),
            encryption=encryption,
        )
        made.append(Service(roles, process, folder))
        return made[-1]

    yield make
    for service in made:
        await service.kill()


@pytest.fixture(scope="session")
def specification() -> Callable[[str], DeviceTypeSpecification]:
    """A shipped device type."""

    def read(name: str) -> DeviceTypeSpecification:
        return convert(_group(f"device_type/{name}")["specification"], DeviceTypeSpecification)

    return read


@pytest.fixture
async def start_service(
    database_url: str,
    service_of: Callable[..., Awaitable[Service]],
    specification: Callable[[str], DeviceTypeSpecification],
) -> StartService:
    """Start a service on the test's own database, with the shipped device types."""

    async def start(**changes: Any) -> Service:
        service = await service_of(database_url, **changes)
        await service.start()
        async with service.operator() as operator:
            for name in DEVICE_TYPES:
                await operator.put_device_type(specification(name))
        return service

    return start


@pytest.fixture
async def owner_of(
    postgres: PostgresServer,
) -> AsyncIterator[Callable[[Service], Awaitable[asyncpg.Connection]]]:
    """Open a connection that sees everything that a service stores."""
    async with AsyncExitStack() as opened:

        async def open_for(service: Service) -> asyncpg.Connection:
            database = urlsplit(service.settings.database_urls["iot_api"]).path.lstrip("/")
            conn = await asyncpg.connect(postgres.url(database))
            opened.push_async_callback(conn.close)
            return conn

        yield open_for


@pytest.fixture(scope="session")
async def platform(
    postgres: PostgresServer,
    lasting_service_of: Callable[..., Awaitable[Service]],
    specification: Callable[[str], DeviceTypeSpecification],
) -> AsyncIterator[Service]:
    """A service that tests share; each makes an organization of its own."""
    name = f"platform_{uuid.uuid4().hex[:12]}"
    conn = await asyncpg.connect(postgres.url())
    await conn.execute(f'create database "{name}" template template0')
    service = await (await lasting_service_of(postgres.url(name))).start()
    async with service.operator() as operator:
        for kind in DEVICE_TYPES:
            await operator.put_device_type(specification(kind))
    yield service
    assert await service.terminate() == 0
    await conn.execute(f'drop database "{name}" with (force)')
    await conn.close()


@pytest.fixture(scope="session")
async def platform_rows(
    platform: Service, postgres: PostgresServer
) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees everything that the shared service stores."""
    database = urlsplit(platform.settings.database_urls["iot_api"]).path.lstrip("/")
    conn = await asyncpg.connect(postgres.url(database))
    yield conn
    await conn.close()


def _exchange(url: str, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    found = {name.lower(): value for name, value in response.getheaders()}
    is_json = "json" in found.get("content-type", "")
    return Answer(response.status, found, msgspec.json.decode(content) if is_json else content)
