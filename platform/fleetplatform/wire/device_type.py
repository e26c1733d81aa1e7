"""What a device type is on the wire: its sensors, and what it can be told, set and run.

What makes a specification impossible is said by `specification.mistakes`.
"""

from enum import IntEnum
from typing import Any

import msgspec

from fleetconf.units import Duration


class SensorType(IntEnum):
    """The catalogue's codes, as they stand in `sensor_data.sensor_type`; a code is never reused."""

    TEMPERATURE = 1
    HUMIDITY = 2
    PRESSURE = 3
    VOLTAGE = 4
    CURRENT = 5
    POWER = 6
    ENERGY = 7
    VIBRATION = 8
    FLOW = 9
    LEVEL = 10
    CO2 = 11
    PARTICLES = 12
    LIGHT = 13
    OCCUPANCY = 14
    BATTERY = 15
    POSITION = 16
    COUNT = 17
    GENERIC = 18
    LATITUDE = 19
    LONGITUDE = 20

    @classmethod
    def of(cls, name: str) -> "SensorType":
        """The type with that lower-case name; raises KeyError."""
        return cls[name.upper()]

    @property
    def label(self) -> str:
        """The lower-case name, as specifications write it."""
        return self.name.lower()


class SensorSpecification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sensor of a device type; min, max and resolution in `unit`, interval in seconds.

    rate_max: the fastest that its value can change, in `unit` per second · flat_after: one that
    sends the same value for longer is stuck, in seconds; null: not judged · sensitive: its
    readings are stored encrypted, and only an administrator reads them.
    """

    type: str
    unit: str
    min: float
    max: float
    resolution: float
    interval: Duration
    rate_max: float | None = None
    flat_after: Duration | None = None
    sensitive: bool = False


class ParameterSpecification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One parameter of a command.

    type: number, integer, text or boolean · min, max: its range, for a text its length; null is
    no limit.
    """

    type: str
    min: float | None
    max: float | None


class CommandSpecification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device can be told; parameters by name, all of them given with the command."""

    description: str
    parameters: dict[str, ParameterSpecification]


class DeviceTypeSpecification(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A device type as the platform stores it; sensors by name, in order.

    commands: by name · configuration: JSON Schema of the settings, each with its default ·
    hardware_revisions: the first is what a device is that does not say · firmware: version → the
    hardware revisions it runs on.
    """

    name: str
    version: str
    description: str
    sensors: dict[str, SensorSpecification]
    commands: dict[str, CommandSpecification]
    configuration: dict[str, Any]
    hardware_revisions: tuple[str, ...]
    firmware: dict[str, tuple[str, ...]]
