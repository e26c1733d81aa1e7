"""From a slot's readings to what each sender carries."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fleetsim.transport.report import Piece, Report

_GROUPS_MAX = 16
"""Into how many moments a slot is spread, at most."""


class Senders:
    """Which device or gateway speaks for each sensor, and which senders report together.

    of_device: int32[D] · of_sensor: int32[S], both non-decreasing · count: of senders · groups:
    first sensor of each group of senders, and the end · organization: int32[count], whose each
    sender is. Gateways are spread over the slot, devices report at its beginning.
    """

    def __init__(
        self,
        sensor_device: NDArray[np.int32],
        organization: NDArray[np.int32],
        devices_per_gateway: int | None,
    ) -> None:
        """Each device for itself, or a gateway for every `devices_per_gateway` devices.

        `organization` is each device's and does not decrease; a gateway has devices of one only.
        """
        first = _first_of_senders(organization, devices_per_gateway or 1)
        self.of_device = (np.cumsum(first) - 1).astype(np.int32)
        self.of_sensor = self.of_device[sensor_device]
        self.organization = organization[first]
        self.count = count = len(self.organization)
        groups = min(count, _GROUPS_MAX) if devices_per_gateway else 1
        begin = [count * group // groups for group in range(groups + 1)]
        self.groups = np.searchsorted(self.of_sensor, begin)

    def pieces(self, report: Report) -> Iterator[tuple[int, Piece]]:
        """Each sender's readings of a report, in which sensors do not decrease."""
        if not len(report):
            return
        sender = self.of_sensor[report.sensor]
        starts = [0, *(np.flatnonzero(sender[1:] != sender[:-1]) + 1).tolist(), len(report)]
        senders = sender[starts[:-1]].tolist()
        for index, start, stop in zip(senders, starts[:-1], starts[1:], strict=True):
            yield index, Piece(report, start, stop)


def _first_of_senders(organization: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """Which devices are the first of their sender."""
    place = np.arange(len(organization))
    begins = np.diff(organization, prepend=-1) != 0
    within = place - np.maximum.accumulate(np.where(begins, place, 0))
    first: NDArray[np.bool_] = within % size == 0
    return first
