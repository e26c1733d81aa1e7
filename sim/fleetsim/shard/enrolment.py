"""A shard registers its own devices and gateways with the backend, by bulk requests.

Each request has an idempotency key, so one whose answer was lost is sent again: the backend then
answers as it did, and the tokens are not lost.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from fleetplatform.wire.problems import Problem
from fleetplatform.wire.readings import JSON_MEDIA_TYPE
from fleetplatform.wire.resources.devices import (
    EnrolledDevice,
    EnrolledDevices,
    NewDevice,
    NewDevices,
)
from fleetsim.devices.population import Population
from fleetsim.errors import EnrolError
from fleetsim.settings import FleetPlan
from fleetsim.shard.cut import Senders
from fleetsim.transport.http import HttpClient, head, request
from fleetsim.transport.kinds import Identities
from fleetsim.transport.response import NO_ANSWER, Reply
from fleetsim.transport.retry import Backoff, RetrySettings

GATEWAY_TYPE = "gateway"
_DEVICES_PER_REQUEST = 2_000
_TIMEOUT_S = 120.0
_ATTEMPTS_MAX = 20
_RETRY = RetrySettings(initial=0.2, max=5.0, jitter=0.5)
_CREATED = (200, 201)
_BUSY = (429, 503)
_IN_PROGRESS = (409, "idempotency_in_progress")


async def enrol(
    plan: FleetPlan,
    shard: int,
    population: Population,
    senders: Senders,
    on_progress: Callable[[int], None],
) -> Identities:
    """Register gateways, then devices; returns what the backend knows them by.

    on_progress is given the number of devices done so far. Raises EnrolError.
    """
    gateways = _gateway_serials(plan, shard, senders)
    client = HttpClient(plan.url, lanes=1, timeout_s=_TIMEOUT_S)
    speakers: list[EnrolledDevice] = []
    devices: list[EnrolledDevice] = []
    try:
        for organization in np.unique(population.organization).tolist():
            token = plan.organizations[organization].token
            name = f"{plan.run_id}-organization-{organization}-shard-{shard}"
            backoff = Backoff(_RETRY, seed=plan.seed, shard=shard)
            registrar = _Registrar(client, token, name, backoff)
            for part in _parts(senders.organization == organization) if gateways else ():
                speakers += await registrar.post([_gateway(plan, gateways[i]) for i in part])
            behind = [gateways[i] for i in senders.of_device.tolist()] if gateways else None
            for part in _parts(population.organization == organization):
                devices += await registrar.post(population.new_devices(behind, part))
                on_progress(len(devices))
    finally:
        client.close()
    tokens = [device.token for device in speakers or devices]
    sensor_ids = [i for device in devices for i in device.sensor_ids]
    return _identities(population, tokens, sensor_ids)


def invented(population: Population, senders: Senders) -> Identities:
    """Identities for a transport that enrols nobody: sensors by their place in the fleet."""
    device_ordinal = population.device_ordinal[population.sensor_device]
    return Identities(
        tokens=[""] * senders.count,
        sensor_high=device_ordinal.astype(np.uint64),
        sensor_low=population.sensor_ordinal.astype(np.uint64),
        sensor_names=population.sensor_name,
    )


class _Registrar:
    """Posts devices of one organization; repeats while busy, and where an answer was lost."""

    def __init__(self, client: HttpClient, token: str, name: str, backoff: Backoff) -> None:
        self._client = client
        self._token = token
        self._name = name
        self._backoff = backoff
        self._parts = 0
        self._met = False

    def _next_head(self) -> bytes:
        """The head of the next part's request, with its idempotency key."""
        extra = f"Idempotency-Key: {self._name}-part-{self._parts}\r\n"
        self._parts += 1
        return head(self._client, "/v1/devices/bulk", self._token, JSON_MEDIA_TYPE, extra)

    async def post(self, devices: Sequence[NewDevice]) -> tuple[EnrolledDevice, ...]:
        body = msgspec.json.encode(NewDevices(devices=tuple(devices)))
        message = request(self._next_head(), body)
        for attempt in count():
            self._met = await self._client.connect(0) or self._met
            reply = await self._client.exchange(0, message)
            if reply.status in _CREATED:
                return _decode(reply, len(devices))
            if not self._may_repeat(reply) or attempt == _ATTEMPTS_MAX:
                break
            await asyncio.sleep(self._backoff.pause_s(attempt, reply.retry_after_s))
        raise EnrolError(f"the backend did not register the fleet's devices: {_reason(reply)}")

    def _may_repeat(self, reply: Reply) -> bool:
        """Whether the same request may be answered otherwise; not where nobody was ever there."""
        if reply.status == NO_ANSWER:
            return self._met
        return reply.status in _BUSY or (reply.status, _code(reply)) == _IN_PROGRESS


def _gateway_serials(plan: FleetPlan, shard: int, senders: Senders) -> list[str]:
    """The serial numbers of a shard's gateways, in the order of the senders; none without."""
    if not plan.transport.gateways:
        return []
    return [f"{plan.run_id}-g{shard}-{gateway}" for gateway in range(senders.count)]


def _gateway(plan: FleetPlan, serial: str) -> NewDevice:
    version = plan.device_types[GATEWAY_TYPE].specification.version
    return NewDevice(serial_number=serial, device_type=GATEWAY_TYPE, device_type_version=version)


def _parts(which: NDArray[np.bool_]) -> Iterator[range]:
    """Neighbours that a mask chooses, in pieces of one request at most."""
    first, size = int(which.argmax()), int(which.sum())
    for start in range(first, first + size, _DEVICES_PER_REQUEST):
        yield range(start, min(start + _DEVICES_PER_REQUEST, first + size))


def _decode(reply: Reply, size: int) -> tuple[EnrolledDevice, ...]:
    try:
        devices = msgspec.json.decode(reply.body, type=EnrolledDevices).devices
    except msgspec.MsgspecError as error:
        raise EnrolError(f"the backend's answer to an enrolment is none: {error}") from error
    if len(devices) != size:
        raise EnrolError(f"the backend enrolled {len(devices)} devices; {size} were asked for")
    return devices


def _reason(reply: Reply) -> str:
    """One sentence on what came back."""
    if reply.status == NO_ANSWER:
        return reply.body.decode(errors="replace")
    problem = _problem(reply)
    if problem is None:
        return f"status {reply.status}"
    return f"{problem.detail or problem.title} (status {reply.status}, {problem.code})"


def _code(reply: Reply) -> str:
    problem = _problem(reply)
    return "" if problem is None else problem.code


def _problem(reply: Reply) -> Problem | None:
    try:
        return msgspec.json.decode(reply.body, type=Problem)
    except msgspec.MsgspecError:
        return None


def _identities(
    population: Population, tokens: list[str | None], sensor_ids: list[UUID]
) -> Identities:
    if len(sensor_ids) != len(population.sensor_name):
        raise EnrolError(
            f"the backend gave {len(sensor_ids)} sensor ids for {len(population.sensor_name)} "
            "sensors; does it know other versions of the device types?"
        )
    if None in tokens:
        raise EnrolError("the backend gave no token to a device that has to speak for itself")
    return Identities(
        tokens=[token or "" for token in tokens],
        sensor_high=_halves(sensor_ids, 64),
        sensor_low=_halves(sensor_ids, 0),
        sensor_names=population.sensor_name,
    )


def _halves(ids: list[UUID], shift: int) -> NDArray[np.uint64]:
    mask = 2**64 - 1
    return np.fromiter((i.int >> shift & mask for i in ids), np.uint64, len(ids))
