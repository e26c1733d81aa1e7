"""A small HTTP server that takes readings, keeps them in a dictionary, and misbehaves on order."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

import fleetconf
from fleetconf import kinds
from fleetconf.convert import convert
from fleetplatform.wire.readings import ARROW_MEDIA_TYPE, decode_arrow, decode_json
from fleetplatform.wire.resources.devices import EnrolledDevice, EnrolledDevices, NewDevices
from fleetplatform.wire.resources.receipts import Receipt, RejectedReading
from fleetsim.load.profiles import steady
from fleetsim.settings import (
    DeviceTypeSettings,
    FleetOrganization,
    FleetPlan,
    FleetSettings,
    LoadSettings,
)

Key = tuple[int, int, int]
_READINGS_MAX = 10_000_000
_LISTED_MAX = 100
_PROBLEMS = {"401": 401, "413": 413, "429": 429, "500": 500, "503": 503}


class Backend:
    """start → requests … → stop. `behave` is asked before each request with readings, by number.

    stored: value by sensor (high, low) and time · doubled: how often a stored reading came again.
    """

    def __init__(self) -> None:
        self.behave: Callable[[int], str] = lambda number: "ok"
        self.stored: dict[Key, float] = {}
        self.doubled = 0
        self.requests = 0
        self.behaved: Counter[str] = Counter()
        self.serials: list[str] = []
        self.enrolled_with: dict[str, str] = {}
        self.sensors_of_type = {"gateway": (), "thermometer": ("temperature",)}
        self.port = 0
        self._by_token: dict[str, dict[str, uuid.UUID]] = {}
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and cut every connection, as a process that dies does."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._connections):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields["Content-Length"]))
                if not await self._answer(head.split()[1], fields, body, writer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self._connections.discard(writer)
            writer.transport.abort()

    async def _answer(
        self, path: str, fields: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; False ends the connection."""
        if path == "/v1/devices/bulk":
            _write(writer, 201, self._enrol(body, fields["Authorization"]))
            return True
        behaviour = self.behave(self.requests)
        self.requests += 1
        self.behaved[behaviour] += 1
        if behaviour in _PROBLEMS:
            _write(writer, _PROBLEMS[behaviour], b'{"code":"x"}', "Retry-After: 0\r\n")
            return True
        if behaviour == "die_before":
            return False
        if behaviour == "garbage":
            writer.write(b"what did you say?\r\n\r\n")
            return True
        if behaviour == "lie":
            _write(writer, 200, b'{"accepted":0,"duplicates":0,"rejected_total":0}')
            return True
        answer = msgspec.json.encode(self._take(behaviour, fields, body))
        if behaviour == "die_after":
            return False
        if behaviour == "silent":
            await asyncio.sleep(60)
        _write(writer, 200, answer, cut=behaviour == "half_answer")
        await writer.drain()
        return behaviour != "half_answer"

    def _enrol(self, body: bytes, authorization: str) -> bytes:
        devices = []
        for device in msgspec.json.decode(body, type=NewDevices).devices:
            self.serials.append(device.serial_number)
            self.enrolled_with[device.serial_number] = authorization
            token = None if device.gateway else uuid.uuid4().hex
            names = self.sensors_of_type[device.device_type]
            ids = tuple(uuid.uuid4() for _ in names)
            if token is not None:
                self._by_token[token] = dict(zip(names, ids, strict=True))
            devices.append(EnrolledDevice(device_id=uuid.uuid4(), token=token, sensor_ids=ids))
        return msgspec.json.encode(EnrolledDevices(devices=tuple(devices)))

    def _decode(self, fields: dict[str, str], body: bytes) -> list[tuple[Key, float]]:
        if fields["Content-Type"] == ARROW_MEDIA_TYPE:
            found = decode_arrow(body, _READINGS_MAX)
            columns = (found.sensor_high, found.sensor_low, found.t_us, found.value)
            return [
                ((h, low, t), v)
                for h, low, t, v in zip(*(c.tolist() for c in columns), strict=True)
            ]
        readings = decode_json(body, _READINGS_MAX)
        ids = self._by_token[fields["Authorization"].removeprefix("Bearer ")]
        keys = [ids[name].int for name in readings.sensors]
        return [
            ((key >> 64, key & 2**64 - 1, t), v)
            for key, t, v in zip(keys, readings.t_us, readings.values, strict=True)
        ]

    def _take(self, behaviour: str, fields: dict[str, str], body: bytes) -> Receipt:
        """Keep the readings, all or in part; every choice depends on the reading alone."""
        duplicates, rejected, accepted = 0, [], 0
        for index, (key, value) in enumerate(self._decode(fields, body)):
            if key in self.stored:
                assert self.stored[key] == value
                duplicates += 1
                self.doubled += 1
            elif _refuses(behaviour, key):
                rejected.append(RejectedReading(index=index, code="out_of_window", detail=""))
            else:
                self.stored[key] = value
                accepted += 1
        return Receipt(
            accepted=accepted,
            duplicates=duplicates,
            rejected_total=len(rejected),
            rejected=tuple(rejected[:_LISTED_MAX]),
        )


def _refuses(behaviour: str, key: Key) -> bool:
    shares = {"reject_some": 1, "reject_many": 9, "reject_all": 10}
    return hash(key) % 10 < shares.get(behaviour, 0)


def _write(
    writer: asyncio.StreamWriter, status: int, body: bytes, extra: str = "", *, cut: bool = False
) -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    answer = head.encode() + body
    writer.write(answer[: len(answer) // 2] if cut else answer)


_CONF = Path(fleetconf.__file__).parent
_TYPES = ("thermometer", "climate_v2", "power_meter", "gateway")
START_US = 1_780_272_000_000_000


def _group(path: str) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load((_CONF / path).read_text())
    return tree


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., FleetPlan]:
    """A plan from the shipped configuration; by keyword what differs from it."""
    types = {t: convert(_group(f"device_type/{t}.yaml"), DeviceTypeSettings) for t in _TYPES}

    def make(transport: str = "null_sink", **changes: Any) -> FleetPlan:
        tree = {**_group(f"transport/{transport}.yaml"), **changes.pop("transport_keys", {})}
        del tree["kind"]
        kind = kinds.load("fleetsim.transport.kinds", transport)
        fleet = {
            "devices": 20, "mix": {"thermometer": 1.0}, "shards": 1, "devices_per_shard": None,
            "devices_per_gateway": 1000, "regions": {},
        }  # fmt: skip
        load = {"profile": steady.Settings(), "interval": 1.0, "rate": None}
        for part in (fleet, load):
            part.update({key: changes.pop(key) for key in list(changes) if key in part})
        plan: dict[str, Any] = {
            "run_id": "test", "seed": 7, "start_us": START_US, "duration_s": 60.0,
            "fleet": FleetSettings(**fleet), "load": LoadSettings(**load),
            "transport": convert(tree, kind.Settings), "device_types": types,
            "url": "http://127.0.0.1:1", "rules": (),
            "organizations": (FleetOrganization(name="one", share=1.0, token="key"),),
        }  # fmt: skip
        return FleetPlan(**{**plan, **changes})

    return make


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    """A server that behaves, until it is told otherwise."""
    server = Backend()
    await server.start()
    yield server
    await server.stop()
