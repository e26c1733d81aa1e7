"""The claim: every acknowledged reading is in the table once, as it was sent, and nothing else is.

First all rows are counted and hashed by sensor, which takes the table once. Where a sensor's
count or hash is not the ledger's, the fleet makes its readings again and they are compared with
its rows one by one.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fleetsim.ledger.digest import hash_onto
from fleetsim.ledger.report import LedgerReport, Readings
from fleetstorm.results.proof import EXAMPLES_MAX, Example
from fleetstorm.verification import archive, table
from fleetstorm.verification.archive import Expired
from fleetstorm.verification.dispute import Findings, Rows, compare
from fleetstorm.verification.examples import Namer, choose, name_stranger
from fleetstorm.verification.expiry import settle
from fleetstorm.verification.sensors import UNKNOWN, SensorIndex
from fleetstorm.verification.table import StoredRows

_DISPUTE_READINGS_MAX = 1_000_000
_DISPUTE_SENSORS_MAX = 20_000

Witness = Callable[[NDArray[np.int64]], Awaitable[Readings]]
"""Makes every emitted reading of some sensors again; indices into the ledger's sensors."""


@dataclass
class ReadingsVerdict:
    """What became of the readings.

    stored: rows of the organizations · archived: in files alone · expired: deleted by retention, as
    the platform counted them · leaks: rows and alerts of another organization than their
    device's, by the registry or by the fleet's own account; None for one organization · stray: in
    default partitions; None where there are none. The others are named as in summary.json.
    """

    stored: int = 0
    archived: int = 0
    expired: int = 0
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    unexpected: int = 0
    calibrated_wrong: int = 0
    orphans: int = 0
    leaks: int | None = None
    stray: int | None = None
    examples: tuple[Example, ...] = ()


async def verify_readings(
    owner_url: str,
    organization_ids: list[UUID],
    ledger: LedgerReport,
    witness: Witness,
    keys: table.Keys = MappingProxyType({}),
    archive_folder: Path | None = None,
) -> ReadingsVerdict:
    """Compare the books with the table; memory stays bounded however many rows there are.

    `organization_ids` are in the fleet's order, as the books have them.
    `keys` open the readings of sensitive sensors; raises UsageError where one is missing, or a file
    of the archive.
    """
    connection = await table.connect(owner_url)
    try:
        index = SensorIndex(ledger)
        await archive.hold(connection)
        expired = await archive.read_expired(connection, organization_ids, index)
        count = _Count(ledger, index, expired)
        for organization, owner in enumerate(organization_ids):
            count.organization = organization
            await table.stream_all(connection, [owner], keys, count.add)
            await archive.stream(connection, [owner], archive_folder, count.add_archived)
        court = _Court(ledger, index, expired, count.verdict)
        for sensors in _in_pieces(count.disputed(), ledger.emitted):
            readings = await witness(sensors)
            ids = index.ids(sensors)
            rows = table.concatenate([
                await table.read_sensors(connection, organization_ids, ids, keys),
                *await archive.read_sensors(connection, organization_ids, ids, archive_folder),
            ])  # fmt: skip
            court.judge(readings, rows)
        verdict = count.verdict
        verdict.orphans = await table.queries.orphans(connection, organizations=organization_ids)
        verdict.stray = await table.queries.stray(connection, organizations=organization_ids)
        if len(organization_ids) > 1:
            leaks = await table.queries.leaks(connection, organizations=organization_ids)
            # Both see the rows, unless registry and fleet disagree on whose a device is.
            verdict.leaks = max(count.leaks, leaks)
        verdict.examples = choose([*court.examples.values(), count.strangers, count.miscalibrated])
        return verdict
    finally:
        await connection.close()


@dataclass
class _Count:
    """The table counted and hashed by sensor, and the calibration of every row checked.

    organization: the one whose rows are added now · leaks: rows of another's sensors among them.
    """

    ledger: LedgerReport
    index: SensorIndex
    expired: Expired
    verdict: ReadingsVerdict = field(default_factory=ReadingsVerdict)
    organization: int = 0
    leaks: int = 0
    strangers: list[Example] = field(default_factory=list)
    miscalibrated: list[Example] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._namer = Namer(self.ledger, self.index)
        self._rows = np.zeros(self.ledger.sensors, dtype=np.int64)
        self._hash = np.zeros(self.ledger.sensors, dtype=np.uint64)
        known = self.ledger.organization
        self._organization = known if len(known) else np.zeros(self.ledger.sensors, np.int32)
        self.verdict.expired = int(self.expired.counts.sum()) + self.expired.strangers
        self.verdict.unexpected += self.expired.strangers
        self._calibrated = (self.ledger.multiplier != 1.0) | (self.ledger.offset != 0.0)

    def add_archived(self, rows: StoredRows) -> None:
        """Count some rows of the archive."""
        self.verdict.archived += len(rows)
        self._add(rows)

    def add(self, rows: StoredRows) -> None:
        """Count some rows of the table."""
        self.verdict.stored += len(rows)
        self._add(rows)

    def _add(self, rows: StoredRows) -> None:
        sensor = self.index.find(rows.sensor_high, rows.sensor_low)
        known = sensor != UNKNOWN
        if not known.all():
            self._add_strangers(rows, np.flatnonzero(~known))
            rows, sensor = _take(rows, known), sensor[known]
        self.leaks += int((self._organization[sensor] != self.organization).sum())
        np.add.at(self._rows, sensor, 1)
        np.add.at(self._hash, sensor, hash_onto(self.index.hashes[sensor], rows.t_us, rows.raw))
        self._check_calibration(sensor, rows)

    def disputed(self) -> NDArray[np.int64]:
        """The sensors whose rows are not what the books say at first sight."""
        expired = self.expired
        same = self._rows + expired.counts == self.ledger.acknowledged
        same &= expired.is_hashed
        same &= self._hash + expired.hashes == self.ledger.acknowledged_hash
        return np.flatnonzero(~same).astype(np.int64)

    def _add_strangers(self, rows: StoredRows, at: NDArray[np.intp]) -> None:
        self.verdict.unexpected += len(at)
        for i in at[: EXAMPLES_MAX - len(self.strangers)].tolist():
            high, low = int(rows.sensor_high[i]), int(rows.sensor_low[i])
            self.strangers.append(
                name_stranger("unexpected", high, low, int(rows.t_us[i]), float(rows.raw[i]))
            )

    def _check_calibration(self, sensor: NDArray[np.intp], rows: StoredRows) -> None:
        calibrated = rows.raw * self.ledger.multiplier[sensor] + self.ledger.offset[sensor]
        expected = np.where(self._calibrated[sensor], calibrated, rows.raw)
        wrong = np.flatnonzero(expected.view(np.uint64) != rows.value.view(np.uint64))
        if not len(wrong):
            return
        self.verdict.calibrated_wrong += len(wrong)
        if len(self.miscalibrated) < EXAMPLES_MAX:
            self.miscalibrated += self._namer.name_many(
                "calibrated_wrong", sensor[wrong], rows.t_us[wrong], expected[wrong],
                rows.value[wrong],
            )  # fmt: skip


class _Court:
    """Disputed sensors, reading by reading."""

    def __init__(
        self,
        ledger: LedgerReport,
        index: SensorIndex,
        expired: Expired,
        verdict: ReadingsVerdict,
    ) -> None:
        self._index = index
        self._expired = expired
        self._namer = Namer(ledger, index)
        self._verdict = verdict
        self.examples: dict[str, list[Example]] = {
            "lost": [], "unexpected": [], "altered": [], "duplicated": []
        }  # fmt: skip

    def judge(self, readings: Readings, stored: StoredRows) -> None:
        """Compare the readings of some sensors with their rows."""
        sensor = self._index.find(stored.sensor_high, stored.sensor_low)
        rows = Rows(sensor, stored.t_us, stored.raw)
        found = self._without_expired(compare(readings, rows), readings)
        self._verdict.lost += len(found.lost)
        self._verdict.unexpected += len(found.unexpected)
        self._verdict.duplicated += len(found.duplicated)
        self._verdict.altered += len(found.altered_reading)
        self._name(found, readings, rows)

    def _without_expired(self, found: Findings, readings: Readings) -> Findings:
        """Of the readings that have no row, those that retention deleted are not lost."""
        gone = []
        for sensor in np.unique(readings.sensor[np.r_[found.lost, found.absent]]).tolist():
            count = int(self._expired.counts[sensor])
            lost = found.lost[readings.sensor[found.lost] == sensor]
            absent = found.absent[readings.sensor[found.absent] == sensor]
            hashed = int(self._expired.hashes[sensor]) if self._expired.is_hashed[sensor] else None
            account = settle(
                readings, lost, absent, self._index.hashes[sensor], (count, hashed)
            )
            gone.append(account.expired)
            self._verdict.unexpected += account.too_many
            self._verdict.altered += account.altered
        known = np.concatenate(gone) if gone else np.zeros(0, np.intp)
        return replace(found, lost=found.lost[~np.isin(found.lost, known)])

    def _name(self, found: Findings, readings: Readings, rows: Rows) -> None:
        lost, extra, twice = found.lost, found.unexpected, found.duplicated
        sent, there = found.altered_reading, found.altered_row
        many = self._namer.name_many
        named: dict[str, list[Example]] = {
            "lost": many("lost", readings.sensor[lost], readings.t_us[lost], readings.raw[lost]),
            "unexpected": many(
                "unexpected", rows.sensor[extra], rows.t_us[extra], found=rows.raw[extra]
            ),
            "duplicated": many(
                "duplicated", rows.sensor[twice], rows.t_us[twice], found=rows.raw[twice]
            ),
            "altered": many(
                "altered", readings.sensor[sent], readings.t_us[sent], readings.raw[sent],
                rows.raw[there],
            ),
        }  # fmt: skip
        for what, examples in named.items():
            self.examples[what] += examples[: EXAMPLES_MAX - len(self.examples[what])]


def _in_pieces(
    sensors: NDArray[np.int64], emitted: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    """Sensors in pieces of about a million readings at most."""
    if not len(sensors):
        return
    total = np.cumsum(emitted[sensors]) // _DISPUTE_READINGS_MAX
    piece = total + np.arange(len(sensors)) // _DISPUTE_SENSORS_MAX
    yield from np.split(sensors, np.flatnonzero(np.diff(piece)) + 1)


def _take(rows: StoredRows, at: NDArray[np.bool_]) -> StoredRows:
    columns: dict[str, Any] = {name: getattr(rows, name)[at] for name in StoredRows.__slots__}
    return StoredRows(**columns)
