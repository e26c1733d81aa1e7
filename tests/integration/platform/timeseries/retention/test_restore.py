"""Archived readings come back as they were, once, and stay for a while."""

import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from fleetplatform.admin import ArchiveError, Restored, restore_readings

from .conftest import DAY, START, MakeStore, Store

HOUR = timedelta(hours=1)
LONG = pytest.mark.campaign


async def _archived(make_store: MakeStore, layout: str = "daily") -> Store:
    """Four days of two sensors, all in the archive; some readings have metadata."""
    store = await make_store(layout)
    await store.policy(1, "archive")
    sensors = store.sensors[0, 1]
    texts = [None if at % 5 else f'{{"n": {at}, "text": "°C"}}' for at in range(2 * 96)]
    await store.write(sensors, 96, START, HOUR, metadata=np.array(texts, np.object_))
    store.before = await _rows(store)
    await store.set_clock(START + 40 * DAY)
    await store.sweep()
    assert await _rows(store) == []
    return store


async def _rows(store: Store) -> list[Any]:
    rows = await store.owner.fetch(
        "select measurement_timestamp, received_at, measurement_value, raw_value, sensor_id,"
        " device_id, organization_id, anomaly_score, sensor_type, data_quality, is_anomaly,"
        " measurement_metadata from iot.sensor_data order by sensor_id, measurement_timestamp"
    )
    return [tuple(row) for row in rows]


async def _restore(store: Store, first: Any, last: Any, days: float = 30) -> Restored:
    return await restore_readings(
        store.prepared.owner_url, store.folder, store.organizations[0], (first, last), days * DAY
    )


@pytest.mark.parametrize(
    "layout",
    ["monthly_list", *[pytest.param(one, marks=LONG) for one in ("daily", "single", "seed")]],
)
async def test_what_comes_back_is_what_left_and_no_second_time(
    make_store: MakeStore, layout: str
) -> None:
    store = await _archived(make_store, layout)
    restored = await _restore(store, START, START + 4 * DAY)
    assert (restored.readings, restored.problems) == (2 * 96, [])
    assert await _rows(store) == store.before
    assert (await _restore(store, START, START + 4 * DAY)).readings == 0
    assert await _rows(store) == store.before


async def test_an_interval_brings_back_its_files_and_leaves_the_others(
    make_store: MakeStore,
) -> None:
    store = await _archived(make_store)
    restored = await _restore(store, START + DAY + HOUR, START + 2 * DAY)
    assert (restored.first, restored.last) == (START + DAY, START + 2 * DAY)
    assert len(await _rows(store)) == 2 * 24
    assert await store.held() == store.stored


async def test_what_came_back_is_not_archived_again_before_its_time(make_store: MakeStore) -> None:
    store = await _archived(make_store)
    await _restore(store, START, START + 4 * DAY, days=5)
    await store.set_clock(START + 42 * DAY)
    assert (await store.sweep()).archived == 0
    await store.set_clock(START + 46 * DAY)
    assert (await store.sweep()).archived == 2 * 96
    assert await store.held() == store.stored


async def test_a_damaged_file_is_named_and_the_others_come_back(make_store: MakeStore) -> None:
    store = await _archived(make_store)
    cut, gone, *_ = await store.files("dropped")
    (store.folder / cut).write_bytes((store.folder / cut).read_bytes()[:-9])
    (store.folder / gone).unlink()
    restored = await _restore(store, START, START + 4 * DAY)
    assert restored.readings == 2 * 48
    assert cut in restored.problems[0]
    assert "damaged" in restored.problems[0]
    assert gone in restored.problems[1]
    assert "missing" in restored.problems[1]


async def test_readings_that_came_again_meanwhile_are_no_obstacle(make_store: MakeStore) -> None:
    store = await _archived(make_store, "single")
    await store.write(
        store.sensors[0, 1][:1], 10, START, HOUR,
        metadata=np.array([None if at % 5 else f'{{"n": {at}, "text": "°C"}}' for at in range(10)]),
    )  # fmt: skip
    assert (await _restore(store, START, START + DAY)).problems == []
    assert await _rows(store) == store.before
    assert Counter(row[4] for row in store.before)


async def test_an_organization_that_is_not_there_is_told(make_store: MakeStore) -> None:
    store = await make_store()
    store.organizations = [uuid.uuid4()]
    with pytest.raises(ArchiveError, match="no organization"):
        await _restore(store, START, START + DAY)
