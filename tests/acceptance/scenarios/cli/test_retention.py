"""The scenario retention, shortened, and the way back from its archive."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest

from fleetplatform.admin import own_database

from .conftest import Fleetstorm


async def _stored(url: str) -> tuple[str, int, int]:
    """The organization, its readings in tables, and how many were deleted."""
    conn = await asyncpg.connect(own_database(url))
    organization = await conn.fetchval("select organization_id from iot.organizations")
    retired = await conn.fetch("select relation from iot.retired_partitions")
    tables = ["sensor_data", *(row["relation"] for row in retired)]
    counts = [await conn.fetchval(f'select count(*) from iot."{name}"') for name in tables]
    expired = await conn.fetchval("select sum(reading_count) from iot.expired_readings")
    await conn.close()
    return str(organization), sum(counts), int(expired)


@pytest.mark.campaign
def test_old_days_leave_under_load_and_come_back(
    fleetstorm: Fleetstorm, database_url: str, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    own = (f"platform.database.url={database_url}", f"platform.archive.folder={archive}")
    ended = fleetstorm("run", "scenario=retention", "duration=4d", *own, "out=here")
    assert ended.code == 0, ended
    load = json.loads((tmp_path / "here" / "summary.json").read_text())["load"]
    assert load["stored"] + load["archived"] + load["expired"] == load["acknowledged"]
    events = (tmp_path / "here" / "events.jsonl").read_text()
    assert '"kind":"retention"' in events
    organization = asyncio.run(_stored(database_url))[0]
    asked = ("db", "restore", database_url, "--archive", str(archive), "--organization",
             organization, "--from", "2026-06-01", "--to", "2026-06-05")  # fmt: skip
    damaged = next(archive.rglob("*.parquet"))
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1])
    partly = fleetstorm(*asked)
    assert partly.code == 1
    assert f"{damaged.name} is damaged" in partly.out + partly.err
    damaged.write_bytes(content)
    whole = fleetstorm(*asked)
    assert whole.code == 0, whole
    assert "Restored" in whole.out + whole.err
    again = fleetstorm(*asked)
    assert "Nothing of that is in the archive" in again.out + again.err
    # More may have left between the court's count and the end of the run.
    _, stored, expired = asyncio.run(_stored(database_url))
    assert stored + expired == load["acknowledged"]
    for wrong in (["--from", "June"], ["--keep", "long"], ["--organization", "x"]):
        refused = fleetstorm(*asked, *wrong)
        assert (refused.code, refused.err.count("\n")) == (2, 1), refused
    print(partly, whole, again)
