"""What the database reads for an answer: no partition outside the span that is asked for."""

import re
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import fleetplatform.analytics
from fleetplatform.admin import prepare_database
from fleetplatform.analytics.bounds import asked
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import InvalidError

FOLDER = Path(fleetplatform.analytics.__file__).parent
NAMED = re.compile(r"^-- name: (\w+).*?\n(.*?)(?=^-- name:|\Z)", re.MULTILINE | re.DOTALL)
PARAMETER = re.compile(r"(?<!:):(\w+)")
READ = re.compile(r"\bsensor_data_\w+|\bsensor_data\b")
ID = "'0199aaaa-0000-7000-8000-000000000001'"
VALUES = {
    "since": "'2026-03-10T00:00:00Z'::timestamptz", "until": "'2026-03-11T00:00:00Z'::timestamptz",
    "sensor_id": f"{ID}::uuid", "sensor_type": "1", "device_id": "null", "group_id": f"{ID}::uuid",
    "organization_id": "null", "count": "10", "width": "'1 minute'", "longer_than": "'1 minute'",
    "after_sensor": ID, "after_time": "'2026-03-10T00:00:00Z'", "after_id": ID,
}  # fmt: skip
"""What a question is asked with, as SQL, by the name of its parameter."""
LAYOUTS = {
    "monthly_list": ("month", "sensor_data_2026_03"),
    "monthly": ("month", "sensor_data_2026_03"),
    "daily": ("day", "sensor_data_2026_03_10"),
}
"""Span of a partition, and the name of that which the span lies in."""


def questions() -> Iterator[tuple[str, str]]:
    """Every question about readings that analytics has, by name."""
    for path in sorted(FOLDER.rglob("*.sql")):
        if path.name != "functions.sql":
            for name, text in NAMED.findall(path.read_text()):
                if "iot.sensor_data" in text:
                    yield name, re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)


def asked_with(name: str, text: str) -> str:
    def value(found: re.Match[str]) -> str:
        assert found[1] in VALUES, f"{name}: say in VALUES what :{found[1]} is"
        return VALUES[found[1]]

    return PARAMETER.sub(value, text.strip().removesuffix(";"))


@pytest.fixture(scope="module", params=LAYOUTS)
async def laid_out(
    request, postgres, template: str, make_settings
) -> AsyncIterator[tuple[str, Pool]]:
    """A database of a layout with partitions around March 2026; its name and the API's pool."""
    name = f"plans_{uuid.uuid4().hex[:12]}"
    root = await asyncpg.connect(postgres.url())
    await root.execute(f'create database "{name}" template {template}')
    settings = make_settings(request.param)
    prepared = await prepare_database(postgres.url(name), settings)
    owner = await asyncpg.connect(prepared.owner_url)
    await owner.execute(
        "select iot.ensure_partition(at, kind) from generate_series(timestamptz '2026-03-04Z',"
        " '2026-03-16Z', '1 day') as at, unnest(array[1, 2]::smallint[]) as kind"
        if LAYOUTS[request.param][0] == "day" else
        "select iot.ensure_partition(at, kind) from generate_series(timestamptz '2026-01-01Z',"
        " '2026-06-01Z', '1 month') as at, unnest(array[1, 2]::smallint[]) as kind"
    )  # fmt: skip
    await owner.close()
    pool = await open_pool(prepared.urls["iot_api"], settings.database, "iot_api")
    yield request.param, pool
    await pool.close()
    await root.execute(f'drop database "{name}" with (force)')
    await root.close()


async def _plan(conn: Any, question: str) -> str:
    return "\n".join(row[0] for row in await conn.fetch(f"explain (costs off) {question}"))


async def test_an_answer_reads_the_partitions_of_its_span_alone(laid_out) -> None:
    layout, pool = laid_out
    unit, part = LAYOUTS[layout]
    seen = set()
    for name, text in questions():
        async with transaction(pool, Tenant(uuid.uuid4())) as conn:
            plan = await _plan(conn, asked_with(name, text))
        read = {one for one in READ.findall(plan) if not one.startswith("sensor_data_default_")}
        tables = {one for one in read if re.search(rf"\bon {one}\b", plan)}
        assert tables, (name, plan)
        assert all(one.startswith(part) for one in tables), (name, unit, plan)
        if "sensor_id = :sensor_id\n" in text:
            assert "Seq Scan" not in plan, (name, plan)
            if layout == "monthly_list":
                assert tables == {f"{part}_type_1"}, (name, plan)
        seen.add(name)
    assert {"readings", "buckets", "gaps", "top_anomalies", "export", "last_of_group"} <= seen


async def test_a_longer_span_would_be_seen(laid_out) -> None:
    """The check above can fail: two spans of partitions are asked for, and are read."""
    layout, pool = laid_out
    (text,) = [text for name, text in questions() if name == "buckets"]
    wide = asked_with("buckets", text).replace("2026-03-10", "2026-02-27")
    async with transaction(pool, Tenant(uuid.uuid4())) as conn:
        plan = await _plan(conn, wide)
    assert any(not one.startswith(LAYOUTS[layout][1]) for one in READ.findall(plan))


async def test_a_question_that_takes_too_long_is_refused_with_what_to_do(laid_out) -> None:
    _, pool = laid_out

    async def ask() -> None:
        async with asked(pool, Tenant(uuid.uuid4())) as conn:
            await conn.execute("set local statement_timeout = '20ms'")
            await conn.fetch("select pg_sleep(60)")

    with pytest.raises(InvalidError, match="ask for a shorter span") as refused:
        await ask()
    assert refused.value.code == "too_slow"
