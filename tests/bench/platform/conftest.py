"""A service of the platform as a user starts it, with an organization, for benchmarks."""

import asyncio
import hashlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import prepare_database
from fleetplatform.client import Client
from fleetplatform.settings import PlatformSettings, ProcessSettings, encode_process_settings
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetstorm.stack.ports import pick_free_port

OPERATOR_TOKEN = "operator-token-of-the-benchmarks"
START_TIMEOUT_S = 60.0
DEVICE_TYPES = ("climate_v2", "gateway")


@dataclass(frozen=True)
class Running:
    """A service that answers: where, the key of an organization in it, the owner's database."""

    url: str
    api_key: str
    owner_url: str

    def client(self) -> Client:
        return Client(self.url, self.api_key)


@pytest.fixture
async def running(
    database_url: str, session_folder: Path, make_settings: Callable[[], PlatformSettings]
) -> AsyncIterator[Running]:
    """ingest, api and worker in one process on a database of their own."""
    prepared = await prepare_database(database_url, make_settings())
    process = ProcessSettings(
        platform=make_settings(),
        host="127.0.0.1",
        port=pick_free_port("127.0.0.1"),
        database_urls=prepared.urls,
        operator_token_sha256=hashlib.sha256(OPERATOR_TOKEN.encode()).hexdigest(),
        encryption=None,
    )
    url = f"http://{process.host}:{process.port}"
    path = session_folder / "bench.json"
    path.write_bytes(encode_process_settings(process))
    with (session_folder / "bench.log").open("ab") as log:
        service = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fleetplatform", "ingest+api+worker", str(path),
            stdout=log, stderr=log,
        )  # fmt: skip
    await _until_ready(url)
    async with Client(url, OPERATOR_TOKEN) as operator:
        for name in DEVICE_TYPES:
            await operator.put_device_type(_specification(name))
        organization = await operator.create_organization("benchmark")
    yield Running(url, organization.api_key, prepared.owner_url)
    service.terminate()
    await service.wait()


async def _until_ready(url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not await asyncio.to_thread(_is_ready, url):
        assert time.monotonic() < deadline, "the service does not become ready"
        await asyncio.sleep(0.05)


def _is_ready(url: str) -> bool:
    with suppress(OSError), urlopen(f"{url}/readyz", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _specification(name: str) -> DeviceTypeSpecification:
    path = Path(fleetconf.__file__).parent / f"device_type/{name}.yaml"
    return convert(yaml.safe_load(path.read_text())["specification"], DeviceTypeSpecification)
