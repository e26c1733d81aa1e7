"""Readings that left the table before the court: in files, or deleted and accounted for."""

from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pyarrow.parquet as pq
import pytest

from fleetplatform.admin import prepare_database
from fleetplatform.timeseries.retention.steps import Limits
from fleetplatform.timeseries.retention.sweep import sweep
from fleetsim.ledger.report import Disposition, Readings
from fleetstorm.errors import UsageError
from fleetstorm.verification.readings import ReadingsVerdict, verify_readings

from .conftest import settings

POLICIES = """
insert into iot.data_retention_policies (organization_id, keep_days, action, sensor_id)
select organization_id, 1, case when sensor_id = any ($1) then 'delete' else 'archive' end,
    case when sensor_id = any ($1) then sensor_id end
from iot.sensors
group by 1, 2, 3, 4
"""
NOW = "update iot.platform_clock set virtual_anchor = '2026-08-01', speed = 0"


@pytest.fixture
async def gone(case: Any, tmp_path: Path) -> Any:
    """The case with everything archived but ten sensors, whose readings are deleted."""
    case.folder = tmp_path
    await case.conn.execute(POLICIES, [case.sensor_id(i) for i in range(10)])
    await case.conn.execute(NOW)
    await case.conn.execute("select iot.ensure_partition('2026-06-01', 1::smallint)")
    prepared = await prepare_database(case.url, settings())
    worker = await asyncpg.connect(prepared.urls["iot_worker"])
    swept = await sweep(worker, Limits(tmp_path, 10_000, 1e9))
    await worker.close()
    assert (swept.archived, swept.expired) == (90 * 60, 10 * 60)
    return case


async def _verify(case: Any, folder: Path | None = None) -> ReadingsVerdict:
    tenant = await case.conn.fetchval("select organization_id from iot.organizations")
    return await verify_readings(
        case.url, [tenant], case.ledger, case.witness, {}, folder or case.folder
    )


async def test_the_books_close_over_archive_and_what_was_deleted(gone: Any) -> None:
    assert await _verify(gone) == ReadingsVerdict(archived=5400, expired=600, stray=0)
    assert gone.asked == []


async def test_a_file_without_a_reading_or_with_another_value_is_found_out(gone: Any) -> None:
    (path,) = gone.folder.rglob("*.parquet")
    table = pq.read_table(path)
    value = table["value"].to_numpy().copy()
    value[7] += 1
    at = table.column_names.index("value")
    changed = table.set_column(at, table.schema.field(at), [value]).slice(1)
    pq.write_table(changed, path)
    verdict = await _verify(gone)
    assert (verdict.lost, verdict.altered) == (1, 1) or verdict.calibrated_wrong == 1
    assert verdict.archived == 5399


async def test_a_reading_that_is_in_both_is_doubled(gone: Any) -> None:
    chosen = gone.readings.sensor == 50
    await gone.conn.execute("select iot.ensure_partition('2026-06-01', 1::smallint)")
    r = gone.readings
    await gone.store(
        Readings(r.sensor[chosen], r.t_us[chosen], r.raw[chosen], r.disposition[chosen])
    )
    verdict = await _verify(gone)
    assert (verdict.duplicated, verdict.stored) == (60, 60)


async def test_more_or_others_deleted_than_were_sent_is_found_out(gone: Any) -> None:
    await gone.conn.execute(
        "update iot.expired_readings set reading_count = 61 where sensor_id = $1",
        gone.sensor_id(3),
    )
    await gone.conn.execute(
        "update iot.expired_readings set readings_hash = 12345 where sensor_id = $1",
        gone.sensor_id(4),
    )
    await gone.conn.execute(
        "update iot.expired_readings set reading_count = 58 where sensor_id = $1",
        gone.sensor_id(5),
    )
    verdict = await _verify(gone)
    assert (verdict.unexpected, verdict.altered, verdict.lost) == (1, 2, 2)


async def test_an_unanswered_reading_may_be_among_the_deleted(gone: Any) -> None:
    at = int(np.flatnonzero(gone.readings.sensor == 2)[11])
    gone.readings.disposition[at] = Disposition.INDETERMINATE
    gone.settle()
    verdict = await _verify(gone)
    assert (verdict.lost, verdict.unexpected, verdict.altered) == (0, 0, 0)


async def test_a_file_that_is_missing_is_told(gone: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"archive file .*cannot be read"):
        await _verify(gone, tmp_path / "elsewhere")
