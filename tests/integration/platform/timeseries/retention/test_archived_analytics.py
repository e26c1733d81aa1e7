"""One question over table and archive: the answers of before, for those who may have them."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from fleetplatform.analytics import export, series
from fleetplatform.analytics.choice import Choice, Span
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import ConflictError, NotFoundError

from .conftest import DAY, START, MakeStore, Store, us

HOUR = timedelta(hours=1)
SPAN = Span(us(START - DAY), us(START + 30 * DAY))


async def _exported(store: Store, tenant: Tenant, choice: Choice, span: Span = SPAN) -> list[Any]:
    pool = store.pools["iot_api"]
    old = await export.find_archived(pool, tenant, span, choice, str(store.folder))
    batches = [one async for one in export.batches(pool, tenant, span, choice, old)]
    rows = pa.Table.from_batches(batches, export.schema()).to_pylist()
    return sorted(rows, key=lambda row: (row["sensor_id"], row["t"]))


@pytest.fixture
async def store(make_store: MakeStore) -> Store:
    """Two tenants with four days of readings each, of which two are to be archived."""
    store = await make_store("daily", tenants=2)
    for tenant in (0, 1):
        await store.policy(2, "archive", organization_id=store.organizations[tenant])
        for code in (1, 2):
            await store.write(store.sensors[tenant, code], 96, START, HOUR)
    return store


async def _archive(store: Store) -> None:
    await store.set_clock(START + 4 * DAY)
    assert (await store.sweep()).archived == 2 * 2 * 2 * 48


async def test_an_export_is_the_same_before_and_after(store: Store) -> None:
    me = Tenant(store.organizations[0])
    sensor = store.sensors[0, 1][1]
    day = Span(us(START + DAY / 2), us(START + 3 * DAY))
    asked = [
        (Choice(), SPAN),
        (Choice(), day),
        (Choice(sensor_type=2), SPAN),
        (Choice(sensor_id=sensor["sensor_id"]), day),
        (Choice(device_id=sensor["device_id"]), SPAN),
        (Choice(sensor_id=store.sensors[1, 1][0]["sensor_id"]), SPAN),
    ]
    before = [await _exported(store, me, choice, span) for choice, span in asked]
    assert [len(one) for one in before] == [384, 240, 192, 60, 192, 0]
    await _archive(store)
    assert [await _exported(store, me, choice, span) for choice, span in asked] == before


async def test_a_limited_viewer_sees_the_devices_of_their_groups_alone(store: Store) -> None:
    await _archive(store)
    mine = store.sensors[0, 1][0]
    group = await store.owner.fetchval(
        "insert into iot.device_groups (organization_id, name, kind) values ($1, 'g', 'static')"
        " returning group_id",
        store.organizations[0],
    )
    await store.owner.execute(
        "insert into iot.device_group_members (organization_id, group_id, device_id)"
        " values ($1, $2, $3)",
        store.organizations[0], group, mine["device_id"],
    )  # fmt: skip
    limited = Tenant(store.organizations[0], device_groups=(group,))
    seen = await _exported(store, limited, Choice())
    assert {row["device_id"] for row in seen} == {mine["device_id"].bytes}
    assert len(seen) == 2 * 96
    assert await _exported(store, Tenant(store.organizations[0]), Choice(group_id=group)) == seen
    other = store.sensors[0, 1][1]["sensor_id"]
    with pytest.raises(NotFoundError):
        await series.read(
            store.pools["iot_api"], limited, other, SPAN, 10, str(store.folder)
        )


async def test_a_span_is_read_across_the_table_and_the_archive(store: Store) -> None:
    pool, me = store.pools["iot_api"], Tenant(store.organizations[0])
    sensor = store.sensors[0, 1][0]["sensor_id"]
    before = await series.read(pool, me, sensor, SPAN, 1000, str(store.folder))
    await _archive(store)
    after = await series.read(pool, me, sensor, SPAN, 1000, str(store.folder))
    assert (before.archived, after.archived, after.readings) == (0, 48, 96)
    assert (after.t_us, after.values) == (before.t_us, before.values)


async def test_a_file_that_is_not_there_is_told_and_named_to_nobody(store: Store) -> None:
    await _archive(store)
    me = Tenant(store.organizations[0])
    for file in store.folder.rglob("*.parquet"):
        file.unlink()
    with pytest.raises(ConflictError, match="missing or damaged") as told:
        await _exported(store, me, Choice())
    assert told.value.code == "archive_unreadable"
    assert str(store.folder) not in str(told.value)
    assert len(await _exported(store, me, Choice(), Span(us(START + 3 * DAY), SPAN.until_us))) > 0
