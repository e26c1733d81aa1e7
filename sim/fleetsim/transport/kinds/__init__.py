"""Transports, one file each: the protocol they stand behind.

A kind is a module with a struct `Settings` (the keys of `fleetconf/transport/<kind>.yaml`) whose
`build` makes the transport.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fleetsim.transport.outcome import Outcome
from fleetsim.transport.report import Piece
from fleetsim.transport.retry import RetrySettings


@dataclass(frozen=True, slots=True)
class Identities:
    """What a backend knows a shard's senders and sensors by.

    tokens: one a sender (device or gateway) · sensor_high, sensor_low: uint64[S], halves of the
    sensors' UUIDs · sensor_names: S names, unique within a device.
    """

    tokens: list[str]
    sensor_high: NDArray[np.uint64]
    sensor_low: NDArray[np.uint64]
    sensor_names: list[str]


class Transport(Protocol):
    """open → ready(lane), send(lane, …), any number of times on each lane → close.

    A lane carries one request at a time; different lanes are independent.
    """

    @property
    def lanes(self) -> int:
        """How many requests can be under way at once."""

    async def ready(self, lane: int) -> None:
        """Return when the lane can carry a request, however long the backend is gone."""

    async def send(self, lane: int, sender: int, pieces: list[Piece]) -> Outcome:
        """Send readings of one sender, oldest first, and wait for the outcome."""

    def close(self) -> None:
        """Drop all connections."""


class TransportSettings(Protocol):
    """What the rest of the simulator asks the settings of any transport.

    gateways: devices speak through gateways · enrols: devices are registered with a platform ·
    buffer_readings: what a sender holds while the backend is silent · body_readings: in one
    request at most.
    """

    gateways: ClassVar[bool]
    enrols: ClassVar[bool]

    @property
    def report_interval(self) -> float:
        """Seconds between two reports of one sender."""

    @property
    def buffer_readings(self) -> int:
        """Readings a sender holds while the backend does not answer."""

    @property
    def body_readings(self) -> int:
        """Readings in one request at most."""

    @property
    def retry(self) -> RetrySettings:
        """The pauses between attempts."""

    def build(self, url: str, identities: Identities) -> Transport:
        """The transport to the backend at a URL; called inside the event loop."""
