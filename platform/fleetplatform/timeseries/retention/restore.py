"""The way back from the archive into the table."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from fleetplatform.batch import Rows
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.errors import ArchiveError
from fleetplatform.timeseries import copy
from fleetplatform.timeseries.partitions import Partitions
from fleetplatform.timeseries.retention import digest, files, rows
from fleetplatform.timeseries.retention.rows import Readings
from fleetplatform.timeseries.retention.steps import check

_queries: Any = load(__file__)


@dataclass
class Restored:
    """What came back: readings of files, of which some may have been there; and what did not."""

    files: int = 0
    readings: int = 0
    first: datetime | None = None
    last: datetime | None = None
    problems: list[str] = field(default_factory=list)


async def restore(
    conn: Connection,
    folder: Path,
    organization: UUID,
    span: tuple[datetime, datetime],
    kept: timedelta,
) -> Restored:
    """Every file of an organization that has readings of a span, as the owner; safe to call twice.

    Whole files come back, so more than the span may. They are not archived again for the time
    `kept`. Raises ArchiveError for an organization that is not there; a file that is damaged or
    missing is told in the answer, and the others come back.
    """
    await _queries.wait_for_retention(conn)
    if not await _queries.has_organization(conn, organization_id=organization):
        raise ArchiveError(f"there is no organization {organization}")
    found = _queries.files_between(
        conn, organization_id=organization, since=span[0], until=span[1]
    )
    restored = Restored()
    for manifest in [dict(one) async for one in found]:
        try:
            await _restore_one(conn, folder, manifest, kept)
        except ArchiveError as error:
            restored.problems.append(str(error))
            continue
        restored.files += 1
        restored.readings += manifest["reading_count"]
        restored.first = min(restored.first or manifest["span_from"], manifest["span_from"])
        restored.last = max(restored.last or manifest["span_to"], manifest["span_to"])
    return restored


async def _restore_one(
    conn: Connection, folder: Path, manifest: dict[str, Any], kept: timedelta
) -> None:
    await asyncio.to_thread(check, folder, manifest)
    readings, texts = await asyncio.to_thread(files.read, folder, manifest["file"])
    codes = np.full(len(readings), manifest["sensor_type"], np.int16)
    await Partitions().ensure(conn, readings.t_us, codes)
    async with conn.transaction():
        await _queries.make_restored(conn)
        await copy.write_to(conn, "restored", None, _as_rows(manifest, readings, texts))
        await _queries.bring_back(conn)
        there = await rows.read(
            conn,
            _queries.brought_back.sql,
            manifest["sensor_type"],
            manifest["span_from"],
            manifest["span_to"],
        )
        # The same values: a reading that was sent again has another time of arrival.
        same = len(there) == len(readings) and (
            digest.sums(there)[0] == int(manifest["readings_hash"])
        )
        if not same:
            raise ArchiveError(
                f"the archive file {folder / manifest['file']} is left where it is: the table has"
                " other readings of the same sensors and times"
            )
        await _queries.note_restored_days(conn)
        await _queries.set_restored(conn, manifest_id=manifest["manifest_id"], kept=kept)


def _as_rows(
    manifest: Mapping[str, Any], readings: Readings, texts: list[str | None] | None
) -> Rows:
    count, organization = len(readings), manifest["organization_id"].int
    received: Any = readings.received_us  # of each reading, and not of a batch
    return Rows(
        sensor=np.zeros(count, np.int32),
        sensor_high=readings.sensor_high,
        sensor_low=readings.sensor_low,
        device_high=readings.device_high,
        device_low=readings.device_low,
        organization_high=np.full(count, organization >> 64, np.uint64),
        organization_low=np.full(count, organization & (2**64 - 1), np.uint64),
        sensor_type=np.full(count, manifest["sensor_type"], np.int16),
        measured_us=readings.t_us,
        value=readings.value,
        raw=readings.raw,
        quality=readings.quality,
        is_anomaly=readings.is_anomaly,
        score=readings.score.astype(np.float64),
        metadata=None if texts is None else np.array(texts, dtype=np.object_),
        received_us=received,
    )
