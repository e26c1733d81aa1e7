"""One fault of a timeline, and the sensors it is planted in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetconf.kinds import name_of
from fleetsim.devices.choice import choose_share
from fleetsim.devices.population import Population, SensorModel
from fleetsim.draws import Purpose
from fleetsim.errors import PlanError
from fleetsim.faults.kinds import FaultSettings
from fleetsim.settings import FleetPlan

ORDER_MAX = 511
_FAULT = Purpose.FAULT * 1024


@dataclass(frozen=True, slots=True)
class SensorFault:
    """A fault of sensors from `start_us` until before `end_us`, virtual.

    kind: Settings of a kind of `fleetsim.faults.kinds` · order: its place in the timeline, unique
    in a run, in which faults of one reading follow each other · share: of the devices (of
    `device_type`, where given), at least one; or else `devices`, their ordinals · sensor: only
    the sensor of this name.
    """

    kind: FaultSettings
    start_us: int
    end_us: int
    order: int
    share: float = 1.0
    devices: tuple[int, ...] | None = None
    device_type: str | None = None
    sensor: str | None = None

    @property
    def kind_name(self) -> str:
        """The kind by name, such as "stuck"."""
        return name_of(self.kind)

    @property
    def choice_stream(self) -> int:
        """The draws that choose devices."""
        return _FAULT + self.order

    @property
    def fate_stream(self) -> int:
        """The draws that choose readings."""
        return _FAULT + ORDER_MAX + 1 + self.order


def choose(fault: SensorFault, plan: FleetPlan, population: Population) -> NDArray[np.bool_]:
    """Which sensors of a shard's population have the fault; raises PlanError if none can."""
    if not 0 <= fault.order <= ORDER_MAX:
        raise PlanError(f"a timeline holds {ORDER_MAX + 1} entries at most")
    may_have = np.array([_may_have(fault, model) for model in population.models], dtype=np.bool_)
    if not may_have.any():
        raise PlanError(f"sensor_fault {fault.kind_name}: {_missing(fault, population)}")
    eligible = [
        any(may_have[i] for i, m in enumerate(population.models) if m.device_type == name)
        for name in population.type_names
    ]
    chosen = _choose_devices(fault, plan, population, np.array(eligible, dtype=np.bool_))
    picked: NDArray[np.bool_] = (
        chosen[population.sensor_device] & may_have[population.sensor_model]
    )
    return picked


def _choose_devices(
    fault: SensorFault, plan: FleetPlan, population: Population, eligible: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    if fault.devices is not None:
        named: NDArray[np.bool_] = np.isin(population.device_ordinal, fault.devices)
        return named
    return choose_share(fault.share, fault.choice_stream, eligible, plan, population)


def _may_have(fault: SensorFault, model: SensorModel) -> bool:
    return fault.device_type in (None, model.device_type) and fault.sensor in (None, model.name)


def _missing(fault: SensorFault, population: Population) -> str:
    """What a fault names that the fleet does not have."""
    known = sorted({f"{model.device_type}.{model.name}" for model in population.models})
    wanted = f"{fault.device_type or 'any device'}.{fault.sensor or 'any sensor'}"
    return f"the fleet has no {wanted}; it has {', '.join(known) or 'no sensors'}"
