"""The intended time of every reading."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fleetsim.draws import Purpose, uniform
from fleetsim.errors import PlanError
from fleetsim.load.change import LoadChange, course
from fleetsim.load.intensity import Intensity
from fleetsim.settings import FleetPlan

Ints = NDArray[np.int64]

_PHASE = Purpose.PHASE * 1024
_NEVER_US = 2.0**61
_EVERYTHING = slice(None)


class Devices(Protocol):
    """What the schedule asks of a shard's devices.

    sensor_start: int64[D + 1], where the sensors of each device begin · fleet_sensors: how many
    sensors the whole fleet has · organization: int32[D] · organization_sensors: how many each
    organization has.
    """

    device_ordinal: Ints
    sensor_start: Ints
    fleet_sensors: int
    organization: NDArray[np.int32]
    organization_sensors: Ints


class Due(NamedTuple):
    """Readings by device, then sensor, then tick; n long each.

    sensor: index into the shard's sensors · tick: how many readings of this sensor came before ·
    t_us: intended time of measurement, µs since 1970, virtual.
    """

    sensor: NDArray[np.int32]
    tick: Ints
    t_us: Ints


class Schedule:
    """When each device of a shard reads its sensors: all of them at once, its k-th time at the
    instant at which its organization's intensity passes k + phase, with a phase drawn for each.

    So the time of a tick follows from the device's ordinal alone. `due` is cheapest when each
    call goes on where the last one ended; any other order gives the same readings.
    """

    def __init__(self, plan: FleetPlan, devices: Devices) -> None:
        self._start_us = plan.start_us
        self._fleet_sensors = devices.fleet_sensors
        self._names = [one.name for one in plan.organizations]
        self._organization = devices.organization
        self._own_sensors = dict(
            zip(self._names, devices.organization_sensors.tolist(), strict=True)
        )
        self._phase = uniform(plan.seed, _PHASE, devices.device_ordinal, 0)
        self._sensor_start = devices.sensor_start[:-1]
        self._sensors = np.diff(devices.sensor_start)
        self._changes = [
            LoadChange(plan.start_us, plan.load.rate, plan.load.interval, plan.load.profile)
        ]
        self._intensities, self._course_of = self._courses(self._changes)
        # For each device: until when its readings were given out, and the next one.
        count = len(self._phase)
        self._until_us = np.full(count, plan.start_us, dtype=np.int64)
        self._tick = np.zeros(count, dtype=np.int64)
        self._next_us = self.times_us(np.arange(count), self._tick)

    def due(self, from_us: int, until_us: int, devices: slice = _EVERYTHING) -> Due:
        """All readings with from_us <= t_us < until_us, of some devices or of all."""
        if until_us <= from_us:
            return self._expand(np.zeros(0, np.intp), np.zeros(0, np.int64), np.zeros(0, np.int64))
        first = devices.indices(len(self._phase))[0]
        if (self._until_us[devices] != from_us).any():
            self._seek(devices, from_us)
        device = np.flatnonzero(self._next_us[devices] < until_us) + first
        tick, until = self._tick[device], self._tick[device] + 1
        next_us = self.times_us(device, until)
        if (again := next_us < until_us).any():
            until[again] = self.first_ticks(device[again], until_us)
            next_us[again] = self.times_us(device[again], until[again])
        found = self._expand(device, tick, until)
        self._tick[device], self._next_us[device] = until, next_us
        self._until_us[devices] = until_us
        return found

    def times_us(self, device: NDArray[np.intp], tick: Ints) -> Ints:
        """The instant of each device's tick; beyond any clock where it never comes."""
        time_us = self._times_of(device, tick + self._phase[device])
        time_us *= 1e6
        np.minimum(time_us, _NEVER_US, out=time_us)
        instant: Ints = time_us.astype(np.int64) + self._start_us
        return instant

    def first_ticks(self, device: NDArray[np.intp], at_us: int) -> Ints:
        """The first tick of each device that is not before an instant."""
        since_s = (at_us - self._start_us) / 1e6
        counts = np.array([one.count_at(since_s) for one in self._intensities])
        count = counts[self._course_of[device]]
        tick: Ints = np.maximum(np.ceil(count - self._phase[device]), 0).astype(np.int64)
        # The inverse is a rounded number: step to where the times themselves say.
        while (early := self.times_us(device, tick) < at_us).any():
            tick += early
        while (late := (tick > 0) & (self.times_us(device, tick - 1) >= at_us)).any():
            tick -= late
        return tick

    def change(self, order: LoadChange) -> None:
        """Another load from a later instant on; raises PlanError when that has been passed."""
        if (self._until_us > order.at_us).any() or order.at_us < self._start_us:
            raise PlanError("the load cannot be changed for a time that has gone by")
        if order.organization is not None and order.organization not in self._names:
            there = ", ".join(self._names)
            raise PlanError(
                f'there is no organization "{order.organization}" in the fleet; there are {there}'
            )
        changes = sorted([*self._changes, order], key=lambda change: change.at_us)
        self._intensities, self._course_of = self._courses(changes)
        self._changes = changes
        self._next_us = self.times_us(np.arange(len(self._tick)), self._tick)

    def _courses(
        self, changes: Sequence[LoadChange]
    ) -> tuple[list[Intensity], NDArray[np.int32]]:
        """An intensity for each load there is, and which is each device's.

        Organizations that no change names share the first.
        """
        named = sorted({one.organization for one in changes if one.organization is not None})
        intensities = [Intensity(course(self._of(changes, None), self._fleet_sensors))]
        course_of = np.zeros(len(self._names), np.int32)
        for index, name in enumerate(named, 1):
            legs = course(self._of(changes, name), self._fleet_sensors, self._own_sensors[name])
            intensities.append(Intensity(legs))
            course_of[self._names.index(name)] = index
        return intensities, course_of[self._organization]

    @staticmethod
    def _of(changes: Sequence[LoadChange], organization: str | None) -> list[LoadChange]:
        return [one for one in changes if one.organization in (None, organization)]

    def _times_of(
        self, device: NDArray[np.intp], count: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """When each device has made so many reports, in seconds."""
        if len(self._intensities) == 1:
            return self._intensities[0].times_of(count)
        course_of = self._course_of[device]
        times_s = np.empty(len(count))
        for index, intensity in enumerate(self._intensities):
            own = course_of == index
            times_s[own] = intensity.times_of(count[own])
        return times_s

    def _seek(self, devices: slice, from_us: int) -> None:
        device = np.arange(len(self._phase))[devices]
        self._tick[devices] = self.first_ticks(device, from_us)
        self._next_us[devices] = self.times_us(device, self._tick[devices])

    def _expand(self, device: NDArray[np.intp], tick: Ints, until: Ints) -> Due:
        """From ticks [tick, until) of devices to readings of their sensors."""
        ticks, sensors = until - tick, self._sensors[device]
        within_device = _within(sensors)
        sensor = np.repeat(self._sensor_start[device], sensors) + within_device
        if (ticks == 1).all():
            t_us = np.repeat(self._next_us[device], sensors)
            return Due(sensor.astype(np.int32), np.repeat(tick, sensors), t_us)
        of_sensor = np.repeat(np.arange(len(device)), sensors)
        row = np.repeat(of_sensor, ticks[of_sensor])
        within = _within(ticks[of_sensor])
        tick_of_row = tick[row] + within
        t_us = self._times_of_rows(device, tick, ticks, row, within)
        return Due(np.repeat(sensor, ticks[of_sensor]).astype(np.int32), tick_of_row, t_us)

    def _times_of_rows(
        self, device: NDArray[np.intp], tick: Ints, ticks: Ints, row: NDArray[np.intp], within: Ints
    ) -> Ints:
        """Times once a report, then handed to each reading in it."""
        report = np.repeat(np.arange(len(device)), ticks)
        t_us = self.times_us(device[report], tick[report] + _within(ticks))
        of_row: Ints = t_us[(np.cumsum(ticks) - ticks)[row] + within]
        return of_row


def _within(counts: Ints) -> Ints:
    """0 … counts[0] - 1, 0 … counts[1] - 1, and so on."""
    begin: Ints = np.cumsum(counts) - counts
    within: Ints = np.arange(int(counts.sum())) - np.repeat(begin, counts)
    return within
