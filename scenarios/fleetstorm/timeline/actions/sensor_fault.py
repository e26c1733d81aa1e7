"""sensor_fault: some sensors go wrong for a while: stuck, spike, dropout."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fleetconf.kinds import Kind, name_of
from fleetconf.units import Duration, Share
from fleetsim.faults import SensorFault
from fleetstorm.timeline.actions import Moment, Stage


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out means all: devices, device types, sensors, the rest of the load.

    fault: a kind with its keys · share: of the devices, drawn from the seed · devices: these by
    ordinal instead · device_type, sensor: only of this type, only the sensor of this name · for:
    how long.
    """

    fault: Annotated[Any, Kind("fleetsim.faults.kinds")]
    share: Share | None = None
    devices: tuple[Annotated[int, Meta(ge=0)], ...] | None = None
    device_type: str | None = None
    sensor: str | None = None
    for_: Annotated[Duration, Meta(gt=0)] | None = msgspec.field(name="for", default=None)

    def __post_init__(self) -> None:
        """Refuse two ways of choosing devices at once."""
        if self.share is not None and self.devices is not None:
            raise ValueError("give it a share or devices, not both")

    def orders(self, moment: Moment) -> list[SensorFault]:
        """The fault, which the shards plant in sensors of their own."""
        fault = SensorFault(
            kind=self.fault,
            start_us=moment.at_us,
            end_us=self._end_us(moment),
            order=moment.order,
            share=1.0 if self.share is None else self.share,
            devices=self.devices,
            device_type=self.device_type,
            sensor=self.sensor,
        )
        return [fault]

    async def perform(self, stage: Stage, moment: Moment) -> None:
        """Write down that the fault is there from now on."""
        stage.events.add(
            "sensor_fault",
            moment.at_us,
            fault=name_of(self.fault),
            share=self.share,
            device_type=self.device_type,
            sensor=self.sensor,
            until_us=self._end_us(moment),
        )

    def _end_us(self, moment: Moment) -> int:
        if self.for_ is None:
            return moment.end_us
        return min(moment.end_us, moment.at_us + round(self.for_ * 1e6))
