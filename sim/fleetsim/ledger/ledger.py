"""One shard's books: every reading is entered once when it is emitted and once when it ends."""

import numpy as np
from numpy.typing import NDArray

from fleetsim.errors import LedgerError
from fleetsim.ledger.digest import (
    RunDigest,
    hash_onto,
    ordinal_hash,
    sensor_hash,
    sum_by_sensor,
)
from fleetsim.ledger.exceptions import Exceptions
from fleetsim.ledger.report import Disposition, LedgerReport

Sensors = NDArray[np.int32]
Ticks = NDArray[np.int64]
Counts = NDArray[np.int64]


class Ledger:
    """Open: emit → withhold | drop | reject | acknowledge; close → remain, then `check`, `write`.

    Arguments: `sensor` int32[n], index in the shard, `tick` int64[n], the sensor's n-th reading.
    `totals` counts all sensors together and is kept as readings come.
    """

    def __init__(
        self,
        sensor_high: NDArray[np.uint64],
        sensor_low: NDArray[np.uint64],
        device_ordinal: NDArray[np.int64],
        sensor_ordinal: NDArray[np.int16],
    ) -> None:
        size = len(sensor_high)
        self._high, self._low = sensor_high, sensor_low
        self._device_ordinal, self._sensor_ordinal = device_ordinal, sensor_ordinal
        self._sensor_hash = sensor_hash(sensor_high, sensor_low)
        self._ordinal_hash = ordinal_hash(device_ordinal, sensor_ordinal)
        self._emitted, self._acknowledged = np.zeros((2, size), np.int64)
        self._buffered, self._indeterminate = np.zeros((2, size), np.int64)
        self._acknowledged_hash = np.zeros(size, np.uint64)
        self._withheld: dict[str, Counts] = {}
        self._dropped: dict[str, Counts] = {}
        self._rejected: dict[str, Counts] = {}
        self.digest = RunDigest()
        self.exceptions = Exceptions()
        self.totals = Totals()

    def emit(
        self,
        sensor: Sensors,
        tick: Ticks,
        t_us: NDArray[np.int64],
        raw: NDArray[np.float64],
        label: NDArray[np.int8],
    ) -> NDArray[np.uint64]:
        """Enter readings as measured, before anything else happens to them; returns hashes."""
        self.digest.add(self._ordinal_hash[sensor], tick, raw, label)
        self._count(self._emitted, sensor)
        self.totals.emitted += len(sensor)
        return hash_onto(self._sensor_hash[sensor], t_us, raw)

    def withhold(self, sensor: Sensors, cause: str) -> None:
        """A fault of the device kept these readings back."""
        self._count(self._of(self._withheld, cause), sensor)
        self.totals.withheld += len(sensor)

    def drop(self, sensor: Sensors, tick: Ticks, cause: str) -> None:
        """The device threw these readings away before they were sent."""
        self._count(self._of(self._dropped, cause), sensor)
        self.exceptions.add(sensor, tick, Disposition.DROPPED)
        self.totals.dropped += len(sensor)

    def reject(self, sensor: Sensors, tick: Ticks, code: str) -> None:
        """The backend said that it will not take these readings."""
        self._count(self._of(self._rejected, code), sensor)
        self.exceptions.add(sensor, tick, Disposition.REJECTED)
        self.totals.rejected += len(sensor)

    def acknowledge(self, sensor: Sensors, hashes: NDArray[np.uint64]) -> None:
        """The backend said that it has these readings."""
        self._count(self._acknowledged, sensor)
        sum_by_sensor(sensor, hashes, self._acknowledged_hash)
        self.totals.acknowledged += len(sensor)

    def remain(self, sensor: Sensors, tick: Ticks, disposition: Disposition) -> None:
        """These readings are buffered at the end, or were sent and never clearly answered."""
        sent = disposition is Disposition.INDETERMINATE
        self._count(self._indeterminate if sent else self._buffered, sensor)
        self.exceptions.add(sensor, tick, disposition)
        self.totals.remaining += len(sensor)

    def check(self) -> None:
        """Raise LedgerError unless every reading emitted has ended exactly once."""
        ended = self._acknowledged + self._buffered + self._indeterminate
        for causes in (self._withheld, self._dropped, self._rejected):
            for counts in causes.values():
                ended = ended + counts
        wrong = np.flatnonzero(ended != self._emitted)
        if len(wrong):
            first = wrong[0]
            raise LedgerError(
                f"the books of {len(wrong)} sensors do not balance; device "
                f"{self._device_ordinal[first]}, sensor {self._sensor_ordinal[first]}: "
                f"{self._emitted[first]} emitted, {ended[first]} accounted for"
            )

    def write(
        self,
        names: list[str],
        serials: list[str],
        multiplier: NDArray[np.float64],
        offset: NDArray[np.float64],
    ) -> LedgerReport:
        """The books of this shard as a report; the arguments are one a sensor."""
        return LedgerReport(
            sensor_high=self._high,
            sensor_low=self._low,
            device_ordinal=self._device_ordinal,
            sensor_ordinal=self._sensor_ordinal,
            sensor_name=names,
            serial=serials,
            emitted=self._emitted,
            acknowledged=self._acknowledged,
            buffered=self._buffered,
            indeterminate=self._indeterminate,
            acknowledged_hash=self._acknowledged_hash,
            multiplier=multiplier,
            offset=offset,
            withheld=self._withheld,
            dropped=self._dropped,
            rejected=self._rejected,
        )

    def _count(self, into: Counts, sensor: Sensors) -> None:
        into += np.bincount(sensor, minlength=len(into))

    def _of(self, causes: dict[str, Counts], cause: str) -> Counts:
        if cause not in causes:
            causes[cause] = np.zeros(len(self._emitted), np.int64)
        return causes[cause]


class Totals:
    """Readings of all sensors together, since the start."""

    def __init__(self) -> None:
        self.emitted = self.withheld = self.dropped = self.rejected = self.acknowledged = 0
        self.remaining = 0

    @property
    def open(self) -> int:
        """Readings emitted whose end is not known yet."""
        ended = self.withheld + self.dropped + self.rejected + self.acknowledged
        return self.emitted - ended - self.remaining
