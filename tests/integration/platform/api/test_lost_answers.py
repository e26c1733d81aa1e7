"""A fleet enrols though answers are lost: each request has a key, and is sent again with it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetsim.load.profiles import steady
from fleetsim.settings import (
    DeviceTypeSettings,
    FleetOrganization,
    FleetPlan,
    FleetSettings,
    LoadSettings,
)
from fleetsim.shard.shard import Shard
from fleetsim.transport.kinds import http_json

CONF = Path(fleetconf.__file__).parent
DEVICES = 2_100
"""Two requests."""


class Cutter:
    """A TCP proxy that waits for the answer to a connection's request and cuts it off there.

    `lost` connections lose their answer, in order of opening; the others are served.
    """

    def __init__(self, host: str, port: int, lost: set[int]) -> None:
        self.host, self.port, self.lost = host, port, lost
        self.opened = 0
        self.cut = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self.opened = self.opened, self.opened + 1
        up_reader, up_writer = await asyncio.open_connection(self.host, self.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, up_writer))
                both.create_task(self._answer(up_reader, writer, number in self.lost))
        except* OSError:
            pass
        finally:
            for one in (writer, up_writer):
                one.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_lost: bool
    ) -> None:
        while piece := await reader.read(65_536):
            if is_lost:
                self.cut += 1
                break
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError


@pytest.fixture
async def cutter(platform) -> AsyncIterator[Cutter]:
    """The first two connections lose their answer."""
    parts = urlsplit(platform.url)
    made = Cutter(parts.hostname, parts.port, {0, 1})
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()


def _tree(path: str) -> dict[str, Any]:
    return yaml.safe_load((CONF / path).read_text())


def _plan(url: str, token: str) -> FleetPlan:
    transport = _tree("transport/http_json.yaml")
    del transport["kind"]
    return FleetPlan(
        run_id="lost", seed=7, start_us=1_780_272_000_000_000, duration_s=60.0,
        fleet=FleetSettings(
            devices=DEVICES, mix={"thermometer": 1.0}, shards=1, devices_per_shard=None,
            devices_per_gateway=1000, regions={},
        ),
        load=LoadSettings(profile=steady.Settings(), interval=1.0, rate=None),
        transport=convert(transport, http_json.Settings),
        device_types={
            "thermometer": convert(_tree("device_type/thermometer.yaml"), DeviceTypeSettings)
        },
        url=url, organizations=(FleetOrganization(name="one", share=1.0, token=token),), rules=(),
    )  # fmt: skip


async def test_a_fleet_is_enrolled_once_and_has_its_tokens(platform, platform_rows, cutter):
    tenant = await platform.tenant()
    shard = Shard(_plan(cutter.url, tenant.api_key), 0)
    await shard.open()
    await shard.enrol()
    await shard.stop()
    assert (cutter.cut, cutter.opened) == (2, 3)
    rows = await platform_rows.fetchrow(
        "select count(distinct device_id) as devices, count(*) as credentials"
        " from iot.devices join iot.device_credentials using (organization_id, device_id)"
        " where organization_id = $1",
        tenant.organization_id,
    )
    assert tuple(rows) == (DEVICES, DEVICES)
