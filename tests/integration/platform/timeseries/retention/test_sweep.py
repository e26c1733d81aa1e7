"""Readings leave the table as policies say: none is lost or doubled, whenever it is killed."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from .conftest import DAY, START, MakeStore, Store

HOUR = timedelta(hours=1)


WRITING = {"writing", "file is there", "written", "verifying", "verified"}
BY_ROWS = {"planning", "planned", "taking", "taken", "deleting", "deleted"}
WHOLE = {"detached", "surveying", "surveyed", "dropping", "dropped"}
STEPS = {
    "daily": WRITING | WHOLE,
    "monthly_list": WRITING | WHOLE,
    "single": WRITING | BY_ROWS,
}


VALUE_COLUMN = 6
LONG = pytest.mark.campaign
OTHER_LAYOUTS = ("daily", "monthly", "single", "seed")


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the platform catches it."""


async def _prepared(make_store: MakeStore, layout: str) -> Store:
    """Three days of two types: type 1 is archived after 2 days, type 2 deleted after 1."""
    store = await make_store(layout)
    await store.policy(2, "archive", sensor_type=1)
    await store.policy(1, "delete", sensor_type=2)
    for code in (1, 2):
        await store.write(store.sensors[0, code], 72, START, HOUR)
    return store


async def _ended(store: Store, days: int) -> None:
    await store.set_clock(START + days * DAY)
    for _ in range(3):
        swept = await store.sweep()
    assert swept.problems == []
    assert set(await store.states()) <= {"dropped"}
    assert await store.owner.fetchval("select count(*) from iot.retired_partitions") == 0


def _of_type(store: Store, code: int) -> Counter[Any]:
    ids = {one["sensor_id"] for one in store.sensors[0, code]}
    return Counter({key: n for key, n in store.stored.items() if key[0] in ids})


@pytest.mark.parametrize(
    "layout", ["monthly_list", *[pytest.param(one, marks=LONG) for one in OTHER_LAYOUTS]]
)
async def test_readings_are_archived_and_deleted_in_every_layout(
    make_store: MakeStore, layout: str
) -> None:
    store = await _prepared(make_store, layout)
    await _ended(store, 40)
    assert await store.held() == _of_type(store, 1)
    assert await store.owner.fetchval("select count(*) from iot.sensor_data") == 0
    deleted = _of_type(store, 2)
    expired = await store.expired()
    assert {sensor: count for sensor, (count, _) in expired.items()} == Counter(
        key[0] for key in deleted
    )
    assert all(hashed is not None for _, hashed in expired.values())


@pytest.mark.parametrize(
    "layout", ["monthly_list", "single", pytest.param("daily", marks=LONG)]
)
async def test_a_kill_at_any_step_loses_and_doubles_nothing(
    make_store: MakeStore, layout: str
) -> None:
    """Killed once at each step, in the order in which a pass comes to them."""
    store = await _prepared(make_store, layout)
    before, kept = store.stored.copy(), _of_type(store, 1)
    await store.set_clock(START + 40 * DAY)
    killed: list[str] = []

    def on_step(step: str) -> None:
        if step not in killed:
            killed.append(step)
            raise Killed

    for _ in range(50):
        ended = False
        with suppress(Killed):
            await store.sweep(on_step)
            ended = True
        held, expired = await store.held(), await store.expired()
        assert kept <= held <= before, killed
        gone = Counter(key[0] for key in (before - held).elements())
        assert gone == {sensor: count for sensor, (count, _) in expired.items()}, killed
        if ended:
            break
    await _ended(store, 40)
    assert await store.held() == kept
    assert set(killed) == STEPS[layout]


async def test_where_policies_differ_only_what_is_due_leaves_a_partition(
    make_store: MakeStore,
) -> None:
    """The most specific policy holds: sensor, then sensor type, then device type, then all."""
    store = await make_store("monthly", count=3)
    first, second, third = store.sensors[0, 1]
    await store.policy(5, "archive")
    await store.policy(100, "delete", device_type="climate_v2")
    await store.policy(5, "delete", sensor_type=1, device_type="climate_v2")
    await store.policy(5, "archive", sensor_id=first["sensor_id"])
    for code in (1, 2):
        await store.write(store.sensors[0, code], 48, START, HOUR)
    await _ended(store, 36)
    held = Counter(key[0] for key in (await store.held()).elements())
    humid = {one["sensor_id"]: 48 for one in store.sensors[0, 2]}
    assert held == humid | {first["sensor_id"]: 48}
    assert set(await store.expired()) == {second["sensor_id"], third["sensor_id"]}
    in_table = await store.owner.fetch("select distinct sensor_id from iot.sensor_data")
    assert {row[0] for row in in_table} == set(humid)


async def test_late_readings_go_to_a_further_file_and_those_known_are_left_out(
    make_store: MakeStore,
) -> None:
    store = await make_store("daily")
    await store.policy(2, "archive")
    sensors = store.sensors[0, 1]
    await store.write(sensors, 24, START, HOUR)
    await _ended(store, 5)
    await store.write(sensors, 24, START, HOUR)  # sent again: no row in the table refuses them
    await store.write(sensors, 24, START + HOUR / 2, HOUR)
    await store.set_clock(START + 6 * DAY)
    await _ended(store, 6)
    assert len(await store.files("dropped")) == 2
    assert await store.held() == Counter(dict.fromkeys(store.stored, 1))
    told = await store.owner.fetchval("select sum(duplicate_count) from iot.archive_manifests")
    assert told == 24 * len(sensors)


async def test_a_quota_ends_readings_by_the_day_whatever_policies_say(
    make_store: MakeStore,
) -> None:
    store = await make_store("monthly", tenants=2)
    await store.policy(30, "archive")
    await store.owner.execute(
        "insert into iot.organization_quotas (organization_id, storage_days) values ($1, 2)",
        store.organizations[0],
    )
    for tenant in (0, 1):
        await store.write(store.sensors[tenant, 1], 96, START, HOUR)
    await _ended(store, 4)
    left = await store.owner.fetch(
        "select organization_id, count(*), min(measurement_timestamp) from iot.sensor_data"
        " group by 1"
    )
    first, second = store.organizations
    assert {row[0]: tuple(row)[1:] for row in left} == {
        first: (2 * 48, START + 2 * DAY), second: (2 * 96, START)
    }  # fmt: skip


async def test_an_archive_that_cannot_be_written_leaves_everything_where_it_is(
    make_store: MakeStore, tmp_path: Any
) -> None:
    store = await _prepared(make_store, "daily")
    (tmp_path / "file").write_text("no folder")
    await store.set_clock(START + 40 * DAY)
    swept = await store.sweep(folder=tmp_path / "file")
    assert "cannot be written" in swept.problems[0]
    assert "platform.archive.folder" in (await store.sweep(folder=None)).problems[0]
    assert await store.held() >= _of_type(store, 1)
    await _ended(store, 40)
    assert await store.held() == _of_type(store, 1)


@pytest.mark.parametrize(
    "damage", ["flipped", *[pytest.param(one, marks=LONG) for one in ("missing", "cut")]]
)
async def test_a_file_that_is_not_what_was_written_is_written_again(
    make_store: MakeStore, damage: str
) -> None:
    """Damaged between the write and the check; the table still has the readings."""
    store = await _prepared(make_store, "daily")
    await store.set_clock(START + 40 * DAY)
    hurt: list[str] = []

    def on_step(step: str) -> None:
        if step == "file is there" and not hurt:
            for path in store.folder.rglob("*.parquet"):
                content = bytearray(path.read_bytes())
                column = pq.ParquetFile(path).metadata.row_group(0).column(VALUE_COLUMN)
                content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
                hurt.append(path.name)
                if damage == "missing":
                    path.unlink()
                elif damage == "cut":
                    path.write_bytes(path.read_bytes()[:-10])
                else:
                    path.write_bytes(content)

    swept = await store.sweep(on_step)
    assert hurt[0] in swept.problems[0]
    await _ended(store, 40)
    assert await store.held() == _of_type(store, 1)


async def test_readings_of_sensitive_sensors_stay_until_they_are_deleted(
    make_store: MakeStore,
) -> None:
    """They are in no file; what was deleted of them is counted and not hashed."""
    store = await make_store("daily")
    first, second = store.sensors[0, 1]
    await store.policy(2, "archive")
    await store.policy(3, "delete", sensor_id=second["sensor_id"])
    await store.write(store.sensors[0, 1], 24, START, HOUR)
    await store.owner.execute("update iot.sensors set sensitive = true where sensor_type = 1")
    await store.owner.execute(
        "update iot.sensor_data set measurement_value = null, raw_value = null,"
        " value_encrypted = '\\x00'"
    )
    await _ended(store, 2 + 40)
    assert await store.files("dropped") == []
    left = await store.owner.fetch("select sensor_id, count(*) from iot.sensor_data group by 1")
    assert {row[0]: row[1] for row in left} == {first["sensor_id"]: 24}
    assert await store.expired() == {second["sensor_id"]: (24, None)}
