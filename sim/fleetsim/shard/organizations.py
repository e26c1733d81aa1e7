"""What happens to the readings of each organization between two samples."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fleetsim.devices.population import Population
from fleetsim.ledger.report import OrganizationSample
from fleetsim.shard.settlement import Settlement


class Organizations:
    """emit, drop, answer … → take. Of a fleet of one organization it counts nothing."""

    def __init__(self, population: Population) -> None:
        self._count = len(population.organization_sensors)
        self._of_sensor = population.organization[population.sensor_device]
        self._begin()

    def _begin(self) -> None:
        self._emitted, self._acknowledged, self._dropped = np.zeros((3, self._count), np.int64)
        self._answers: list[tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]] = []

    def emit(self, sensor: NDArray[np.int32]) -> None:
        """Readings were measured."""
        self._emitted += self._counts(sensor)

    def drop(self, sensor: NDArray[np.int32]) -> None:
        """Readings did not fit into buffers."""
        self._dropped += self._counts(sensor)

    def answer(self, end: Settlement, *, timed: bool) -> None:
        """Requests were answered; `timed` says that virtual time has a pace."""
        if self._count == 1:
            return
        self._acknowledged += self._counts(end.acknowledged.sensor)
        if timed:
            organization = self._of_sensor[end.first_sensor]
            self._answers.append((organization, end.answered_us - end.intended_us, end.sizes))

    def take(self, refused: Mapping[int, int]) -> list[OrganizationSample]:
        """What happened since the last call; `refused` counts requests by organization."""
        if self._count == 1:
            return []
        samples = [
            OrganizationSample(emitted, acknowledged, dropped, refused.get(index, 0))
            for index, (emitted, acknowledged, dropped) in enumerate(
                zip(
                    self._emitted.tolist(), self._acknowledged.tolist(), self._dropped.tolist(),
                    strict=True,
                )
            )
        ]  # fmt: skip
        if self._answers:
            columns = zip(*self._answers, strict=True)
            organization, response_us, sizes = (np.concatenate(column) for column in columns)
            for index in np.unique(organization).tolist():
                own = organization == index
                samples[index].response.add(response_us[own], sizes[own])
        self._begin()
        return samples

    def _counts(self, sensor: NDArray[np.int32]) -> NDArray[np.int64]:
        if self._count == 1:
            return np.zeros(1, np.int64)
        return np.bincount(self._of_sensor[sensor], minlength=self._count)
