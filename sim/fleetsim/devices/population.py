"""The devices of a shard as arrays: their types, their sensors, and how far each sensor is off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetplatform.wire.device_type import SensorSpecification, SensorType
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice
from fleetsim.devices.mix import type_names, types_of, types_of_fleet
from fleetsim.draws import SENSORS_PER_DEVICE_MAX, Purpose, normal
from fleetsim.errors import PlanError
from fleetsim.settings import FleetPlan, SensorSimulation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CALIBRATION = Purpose.CALIBRATION * 1024


@dataclass(frozen=True, slots=True)
class SensorModel:
    """One sensor of one device type; `ordinal` is its place in the type's specification."""

    device_type: str
    ordinal: int
    name: str
    specification: SensorSpecification
    simulation: SensorSimulation

    @property
    def sensor_type(self) -> str:
        """The name of its type, such as "temperature"."""
        return self.specification.type


@dataclass(slots=True, eq=False)
class Population:
    """D devices in order of ordinal and their S sensors, by device, then by place in the type.

    device_type: index into type_names and type_versions · sensor_start: int64[D + 1], where each
    device's sensors begin · sensor_device: index of the device in this population · sensor_model:
    index into `models` · draw_id: names a sensor in the whole fleet, for draws · sensor_type: code
    of the catalogue · resolution, value_min, value_max: of the specification · multiplier, offset:
    calibrated = raw × multiplier + offset · fleet_sensors: how many the whole fleet has.
    """

    device_ordinal: Ints
    device_type: NDArray[np.int32]
    type_names: list[str]
    type_versions: list[str]
    serial_numbers: list[str]
    sensor_start: Ints
    sensor_device: NDArray[np.int32]
    sensor_ordinal: NDArray[np.int16]
    sensor_model: NDArray[np.int32]
    models: list[SensorModel]
    sensor_name: list[str]
    draw_id: Ints
    sensor_type: NDArray[np.int16]
    resolution: Floats
    value_min: Floats
    value_max: Floats
    multiplier: Floats
    offset: Floats
    fleet_sensors: int
    _steps: Floats
    _numerator: Floats
    _denominator: Floats

    @classmethod
    def of(cls, plan: FleetPlan, device_ordinals: Ints) -> "Population":
        """The devices with these ordinals, in rising order; raises PlanError."""
        names = type_names(plan)
        models = [model for name in names for model in _models(plan, name)]
        per_type = np.array([len(plan.device_types[n].specification.sensors) for n in names])
        ordinals = np.asarray(device_ordinals, dtype=np.int64)
        kinds = types_of(plan, ordinals)
        start = np.concatenate([[0], np.cumsum(per_type[kinds])])
        device = np.repeat(np.arange(len(ordinals), dtype=np.int32), per_type[kinds])
        place = np.arange(start[-1]) - start[device]
        first_model = np.cumsum(per_type) - per_type
        model = (first_model[kinds[device]] + place).astype(np.int32)
        draw_id = ordinals[device] * SENSORS_PER_DEVICE_MAX + place
        multiplier, offset = _calibrations(plan.seed, models, model, draw_id)
        numerator, denominator = _fractions(models)[:, model]
        specifications = [entry.specification for entry in models]
        return cls(
            device_ordinal=ordinals,
            device_type=kinds,
            type_names=names,
            type_versions=[plan.device_types[n].specification.version for n in names],
            serial_numbers=[f"{plan.run_id}-d{ordinal:06d}" for ordinal in ordinals.tolist()],
            sensor_start=start,
            sensor_device=device,
            sensor_ordinal=place.astype(np.int16),
            sensor_model=model,
            models=models,
            sensor_name=[models[i].name for i in model.tolist()],
            draw_id=draw_id,
            sensor_type=np.array([_code(m) for m in models], dtype=np.int16)[model],
            resolution=np.array([s.resolution for s in specifications], dtype=float)[model],
            value_min=np.array([s.min for s in specifications], dtype=float)[model],
            value_max=np.array([s.max for s in specifications], dtype=float)[model],
            multiplier=multiplier,
            offset=offset,
            fleet_sensors=int(per_type[types_of_fleet(plan)].sum()),
            _steps=denominator / numerator / multiplier,
            _numerator=numerator,
            _denominator=denominator,
        )

    @property
    def devices(self) -> int:
        """How many devices these are."""
        return len(self.device_ordinal)

    @property
    def sensors(self) -> int:
        """How many sensors these devices have."""
        return len(self.sensor_device)

    def as_sensed(self, sensor: NDArray[np.int32], value: Floats) -> Floats:
        """What n sensors send when this is what is there: not calibrated, in whole steps.

        The result is the float nearest to the decimal that the steps make, so 21.3 and not
        21.3 and a trillionth; a zero has no sign.
        """
        raw = (value - self.offset[sensor]) * self._steps[sensor]
        np.rint(raw, out=raw)
        raw *= self._numerator[sensor]
        raw /= self._denominator[sensor]
        raw += 0.0
        return raw

    def calibrated(self, sensor: NDArray[np.int32], raw: Floats) -> Floats:
        """What n values become when each sensor's calibration is undone."""
        return raw * self.multiplier[sensor] + self.offset[sensor]

    def new_devices(
        self, gateways: Sequence[str] | None = None, devices: range | None = None
    ) -> list[NewDevice]:
        """These devices (all by default) as a backend enrols them.

        gateways: for each device of the population, the serial number of the gateway it is behind.
        """
        return [
            NewDevice(
                serial_number=self.serial_numbers[device],
                device_type=self.type_names[self.device_type[device]],
                device_type_version=self.type_versions[self.device_type[device]],
                gateway=None if gateways is None else gateways[device],
                calibrations=tuple(self._new_calibrations(device)),
            )
            for device in (range(self.devices) if devices is None else devices)
        ]

    def _new_calibrations(self, device: int) -> Iterator[NewCalibration]:
        for sensor in range(self.sensor_start[device], self.sensor_start[device + 1]):
            multiplier, offset = float(self.multiplier[sensor]), float(self.offset[sensor])
            if (multiplier, offset) != (1.0, 0.0):
                yield NewCalibration(
                    sensor=self.sensor_name[sensor], multiplier=multiplier, offset=offset
                )


def _models(plan: FleetPlan, name: str) -> Iterator[SensorModel]:
    """The sensors of a device type, in order."""
    settings = plan.device_types[name]
    sensors, simulated = settings.specification.sensors, settings.simulation.sensors
    where = f"device_type.{name}"
    for sensor in [*sensors, *simulated]:
        if sensor not in simulated or sensor not in sensors:
            part = "simulation" if sensor in sensors else "specification"
            raise PlanError(f'{where}.{part}.sensors: sensor "{sensor}" is missing')
    if len(sensors) > SENSORS_PER_DEVICE_MAX:
        raise PlanError(f"{where}: a device has {SENSORS_PER_DEVICE_MAX} sensors at most")
    for ordinal, (sensor, specification) in enumerate(sensors.items()):
        if specification.resolution <= 0:
            raise PlanError(f"{where}.specification.sensors.{sensor}: resolution must be above 0")
        yield SensorModel(name, ordinal, sensor, specification, simulated[sensor])


def _code(model: SensorModel) -> int:
    try:
        return SensorType.of(model.sensor_type)
    except KeyError:
        known = ", ".join(entry.label for entry in SensorType)
        raise PlanError(
            f'device_type.{model.device_type}.specification.sensors.{model.name}: type'
            f' "{model.sensor_type}" is unknown; there are {known}'
        ) from None


def _calibrations(
    seed: int, models: list[SensorModel], model: NDArray[np.int32], draw_id: Ints
) -> tuple[Floats, Floats]:
    """Multiplier and offset of each sensor; exactly 1 and 0 where the spread is 0."""
    spreads = [entry.simulation.calibration for entry in models]
    multiplier_sd = np.array([spread.multiplier_sd for spread in spreads], dtype=float)[model]
    offset_sd = np.array([spread.offset_sd for spread in spreads], dtype=float)[model]
    multiplier = 1.0 + multiplier_sd * normal(seed, _CALIBRATION, draw_id, 0)
    offset = 0.0 + offset_sd * normal(seed, _CALIBRATION + 1, draw_id, 0)
    return multiplier, offset


def _fractions(models: list[SensorModel]) -> Floats:
    """Each model's resolution as numerator and denominator, shape (2, models): 0.01 is 1/100."""
    fractions = np.ones((2, len(models)))
    for at, model in enumerate(models):
        resolution = model.specification.resolution
        inverse = round(1 / resolution)
        if inverse > 1 and abs(inverse * resolution - 1) < 1e-9:
            fractions[1, at] = inverse
        else:
            fractions[0, at] = resolution
    return fractions
