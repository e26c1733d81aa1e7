"""What a device type is on the wire: its sensors, their types, units and ranges."""

from enum import IntEnum

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

    @classmethod
    def of(cls, name: str) -> "SensorType":
        """The type with that lower-case name; raises KeyError."""
        return cls[name.upper()]

    @property
    def label(self) -> str:
        """The lower-case name, as specifications write it."""
        return self.name.lower()


class SensorSpecification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sensor of a device type; min, max and resolution in `unit`, interval in seconds."""

    type: str
    unit: str
    min: float
    max: float
    resolution: float
    interval: Duration


class DeviceTypeSpecification(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A device type as the platform stores it; sensors by name, in order."""

    name: str
    version: str
    description: str
    sensors: dict[str, SensorSpecification]
