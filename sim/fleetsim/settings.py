"""What a fleet is told before it starts: typed settings, whose defaults stand in `fleetconf`."""

from typing import Annotated, Any

import msgspec

from fleetconf.kinds import Kind
from fleetconf.units import Count, Duration, Rate
from fleetplatform.wire.device_type import DeviceTypeSpecification

Weight = Annotated[float, msgspec.Meta(ge=0)]
"""A part of a whole that the weights beside it add up to."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings: frozen, by keyword, without defaults."""


class FleetSettings(Settings, frozen=True, kw_only=True):
    """The key `fleet`: how many devices there are, of which types, spread over how many actors."""

    devices: Annotated[Count, msgspec.Meta(ge=1)]
    mix: dict[str, Weight]
    shards: Annotated[Count, msgspec.Meta(ge=1)]
    devices_per_shard: Annotated[Count, msgspec.Meta(ge=1)] | None
    devices_per_gateway: Annotated[Count, msgspec.Meta(ge=1)]
    regions: dict[str, Weight]


class LoadSettings(Settings, frozen=True, kw_only=True):
    """The key `load`: `rate` counts readings of the whole fleet and wins over `interval`."""

    profile: Annotated[Any, Kind("fleetsim.load.profiles")]
    interval: Annotated[Duration, msgspec.Meta(gt=0)]
    rate: Rate | None


class CalibrationSpread(Settings, frozen=True, kw_only=True):
    """How far sensors are off: the standard deviations of multiplier (around 1) and offset."""

    multiplier_sd: Annotated[float, msgspec.Meta(ge=0, le=0.1)]
    offset_sd: Annotated[float, msgspec.Meta(ge=0)]


class SensorSimulation(Settings, frozen=True, kw_only=True):
    """How the true value of a sensor moves, and how far the sensor is off."""

    signal: Annotated[Any, Kind("fleetsim.signals.kinds")]
    calibration: CalibrationSpread


class DeviceTypeSimulation(Settings, frozen=True, kw_only=True):
    """The part of a device type that stays in the simulator; sensors by name."""

    sensors: dict[str, SensorSimulation]


class DeviceTypeSettings(Settings, frozen=True, kw_only=True):
    """One entry of the group `device_type`: what the platform is told, and what it is not."""

    specification: DeviceTypeSpecification
    simulation: DeviceTypeSimulation


class RuleOfOracle(Settings, frozen=True, kw_only=True):
    """An alert rule as the oracle needs it; a null scope means any."""

    name: str
    conditions: dict[str, Any]
    device_type: str | None
    sensor_type: str | None


class FleetOrganization(Settings, frozen=True, kw_only=True):
    """An organization of the fleet: its weight beside the others, and the key it enrols with."""

    name: str
    share: Weight
    token: str


class FleetPlan(Settings, frozen=True, kw_only=True):
    """All that a shard needs to make its part of the fleet.

    start_us: virtual time of the load's begin, µs since 1970 · transport: the Settings of a
    transport kind · url: the backend · organizations: whose the devices are, one at least.
    """

    run_id: str
    seed: int
    start_us: int
    duration_s: float
    fleet: FleetSettings
    load: LoadSettings
    transport: Any
    device_types: dict[str, DeviceTypeSettings]
    url: str
    organizations: tuple[FleetOrganization, ...]
    rules: tuple[RuleOfOracle, ...]
