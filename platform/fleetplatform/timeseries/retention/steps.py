"""What is done to the readings of one manifest: written, verified, taken out of the table."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import structlog

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.errors import ArchiveError
from fleetplatform.timeseries.instants import to_us
from fleetplatform.timeseries.retention import digest, files, rows
from fleetplatform.timeseries.retention.plan import WHOLE_TABLE
from fleetplatform.timeseries.retention.rows import Readings

Manifest = dict[str, Any]
OnStep = Callable[[str], None]

_log = structlog.get_logger()
_queries: Any = load(__file__)
_WRITTEN = (
    "manifest_id", "file", "reading_count", "readings_hash", "content_hash", "duplicate_count",
    "file_bytes",
)  # fmt: skip
_SELECTION = ("organization_id", "sensor_type", "span_from", "span_to", "sensors")


class _ChangedError(Exception):
    """The readings in the table are not those in the file."""


@dataclass
class Swept:
    """What a pass did: files, partitions and readings that are gone from the database."""

    files: int = 0
    partitions: int = 0
    archived: int = 0
    expired: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing left the table."""
        return not (self.partitions or self.archived or self.expired)


@dataclass(frozen=True, slots=True)
class Limits:
    """folder: of the archive, None: there is none · file_rows: readings in a file, about ·
    rows_per_s: read from the database at most.
    """

    folder: Path | None
    file_rows: int
    rows_per_s: float

    @property
    def archive(self) -> Path:
        """The folder; raises ArchiveError where there is none."""
        if self.folder is None:
            raise ArchiveError(
                "platform.archive.folder: a policy has readings archived and no folder is given:"
                " give one"
            )
        return self.folder


class Steps:
    """The steps, on one connection of the worker's; `on_step` hears where a kill would be felt."""

    def __init__(self, conn: Connection, limits: Limits, swept: Swept, on_step: OnStep) -> None:
        self._conn = conn
        self._limits = limits
        self._swept = swept
        self._on_step = on_step

    async def end(self, manifest: Manifest) -> bool:
        """Take a manifest as far as it goes; False where it has to begin again.

        Raises ArchiveError where its file cannot be written.
        """
        in_table = manifest["relation"] == WHOLE_TABLE
        if manifest["action"] == "delete":
            if in_table:
                await self._delete(manifest)
            return True
        if manifest["manifest_state"] in ("planned", "detached"):
            await self._write(manifest)
        if manifest["manifest_state"] == "written" and not await self._verify(manifest):
            return False
        return await self._take(manifest) if in_table else True

    async def _write(self, manifest: Manifest) -> None:
        readings, known = await self._without_known(manifest, await self._read(manifest))
        metadata = await self._metadata(manifest) if readings.metadata_hash.any() else {}
        file, size = None, 0
        if len(readings):
            file = files.path_of(manifest)
            self._on_step("writing")
            size = await asyncio.to_thread(
                files.write, self._limits.archive, file, manifest, readings, metadata
            )
        self._on_step("file is there")
        sent, contents = await asyncio.to_thread(digest.sums, readings)
        manifest |= {
            "manifest_state": "written", "file": file, "file_bytes": size,
            "reading_count": len(readings), "duplicate_count": known,
            "readings_hash": sent, "content_hash": contents,
        }  # fmt: skip
        await _queries.set_written(self._conn, **{name: manifest[name] for name in _WRITTEN})
        self._on_step("written")

    async def _verify(self, manifest: Manifest) -> bool:
        """Read the file back; where it is not what was written, it is written anew."""
        try:
            await asyncio.to_thread(check, self._limits.archive, manifest)
        except ArchiveError as error:
            self.tell(error)
            await self._begin_again(manifest)
            return False
        self._on_step("verifying")
        await _queries.set_verified(self._conn, manifest_id=manifest["manifest_id"])
        manifest["manifest_state"] = "verified"
        self._on_step("verified")
        return True

    async def _take(self, manifest: Manifest) -> bool:
        """Have the table without what the verified file holds, and nothing else."""
        try:
            async with self._conn.transaction():
                if not await self._has_hours(manifest):
                    return True
                taken = await rows.read(self._conn, _queries.take.sql, manifest["manifest_id"])
                rest, known = await self._without_known(manifest, taken)
                if (len(rest), digest.sums(rest)[1], known) != (
                    manifest["reading_count"], int(manifest["content_hash"]),
                    manifest["duplicate_count"],
                ):  # fmt: skip
                    raise _ChangedError
                self._on_step("taking")
                await _queries.set_dropped(self._conn, manifest_id=manifest["manifest_id"])
        except _ChangedError:
            await self._begin_again(manifest)
            return False
        self._on_step("taken")
        self._swept.files += manifest["file"] is not None
        self._swept.archived += manifest["reading_count"]
        return True

    async def _delete(self, manifest: Manifest) -> None:
        """Count what is deleted, in the transaction that deletes it."""
        async with self._conn.transaction():
            if not await self._has_hours(manifest):
                return
            taken = await rows.read(self._conn, _queries.take.sql, manifest["manifest_id"])
            await self._expire(manifest, taken)
            self._on_step("deleting")
            await _queries.set_dropped(self._conn, manifest_id=manifest["manifest_id"])
        self._on_step("deleted")
        self._swept.expired += len(taken)

    async def _has_hours(self, manifest: Manifest) -> bool:
        """Whether the hours of its readings are made, so that they outlive them."""
        made: bool = await _queries.raise_floor(
            self._conn,
            organization_id=manifest["organization_id"],
            sensor_type=manifest["sensor_type"],
            sensors=manifest["sensors"],
            before=manifest["span_to"],
        )
        return made

    async def drop(self, relation: str) -> None:
        """Drop a retired partition whose files are verified, and count what is deleted of it."""
        expired = 0
        async with self._conn.transaction():
            deletions = [
                dict(one) async for one in _queries.deletions_of(self._conn, relation=relation)
            ]
            for manifest in deletions:
                taken = await self._read(manifest)
                await self._expire(manifest, taken)
                expired += len(taken)
            self._on_step("dropping")
            told = await _queries.drop_retired(self._conn, relation=relation)
        self._on_step("dropped")
        self._swept.partitions += 1
        self._swept.expired += expired
        self._swept.files += told["file_count"]
        self._swept.archived += told["reading_count"]

    def tell(self, problem: Exception) -> None:
        """Say why something is not archived; it is tried again."""
        self._swept.problems.append(str(problem))
        _log.warning("readings are not archived", problem=str(problem))

    async def _begin_again(self, manifest: Manifest) -> None:
        """Readings came or changed since the file was written, or it is not right."""
        state = "planned" if manifest["relation"] == WHOLE_TABLE else "detached"
        await _queries.set_planned(self._conn, manifest_id=manifest["manifest_id"], state=state)

    async def _read(self, manifest: Manifest) -> Readings:
        text = _queries.readings.sql.replace(WHOLE_TABLE, manifest["relation"])
        return await rows.read(
            self._conn,
            text,
            *(manifest[name] for name in _SELECTION),
            manifest["action"] == "delete",
            rows_per_s=self._limits.rows_per_s,
        )

    async def _metadata(self, manifest: Manifest) -> files.Metadata:
        text = _queries.metadata.sql.replace(WHOLE_TABLE, manifest["relation"])
        found = await self._conn.fetch(text, *(manifest[name] for name in _SELECTION))
        return {(row[0], to_us(row[1])): row[2] for row in found}

    async def _without_known(self, manifest: Manifest, readings: Readings) -> tuple[Readings, int]:
        """Those that no earlier file has, and how many were left out.

        A device that sends a reading again after it was archived finds no duplicate in the table.
        """
        earlier = [
            row["file"]
            async for row in _queries.earlier_files(
                self._conn,
                **{name: manifest[name] for name in (*_SELECTION[:4], "manifest_id")},
            )
            if row["file"] is not None
        ]
        if not earlier or not len(readings):
            return readings, 0
        keys = [
            digest.hash_keys((await asyncio.to_thread(files.read, self._limits.archive, one))[0])
            for one in earlier
        ]
        new = ~np.isin(digest.hash_keys(readings), np.concatenate(keys))
        return readings.take(new), int(len(readings) - new.sum())

    async def _expire(self, manifest: Manifest, readings: Readings) -> None:
        """Keep count and hash of each sensor's readings that are deleted."""
        hashed = digest.hash_sensors(readings.sensor_high, readings.sensor_low)
        _, first, at = np.unique(hashed, return_index=True, return_inverse=True)
        sums = np.zeros(len(first), np.uint64)
        np.add.at(sums, at, digest.hash_readings(readings))
        sealed = np.zeros(len(first), np.bool_)
        sealed[at[readings.is_sealed]] = True
        high, low = readings.sensor_high[first].tolist(), readings.sensor_low[first].tolist()
        await _queries.add_expired(
            self._conn,
            organization_id=manifest["organization_id"],
            sensors=[UUID(int=a << 64 | b) for a, b in zip(high, low, strict=True)],
            counts=np.bincount(at, minlength=len(first)).tolist(),
            hashes=[
                None if secret else one
                for one, secret in zip(sums.tolist(), sealed.tolist(), strict=True)
            ],
        )
        await _queries.set_counted(
            self._conn,
            manifest_id=manifest["manifest_id"],
            reading_count=len(readings),
            readings_hash=None if sealed.any() else int(sums.sum(dtype=np.uint64)),
        )


def check(folder: Path, manifest: Manifest) -> Readings | None:
    """The readings of a manifest's file, after it was found to hold what the manifest says.

    None for a manifest of no readings. Raises ArchiveError.
    """
    if manifest["file"] is None:
        return None
    readings, _ = files.read(folder, manifest["file"])
    found = (len(readings), *digest.sums(readings))
    told = (
        manifest["reading_count"],
        int(manifest["readings_hash"]),
        int(manifest["content_hash"]),
    )
    if found != told:
        raise ArchiveError(
            f"the archive file {folder / manifest['file']} is damaged (it holds {found[0]:,}"
            f" readings that are not the {told[0]:,} of its manifest): put it back from a backup"
        )
    return readings
