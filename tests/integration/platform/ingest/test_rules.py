"""Processing rules in the engines: the same values by all, through restarts and repeats."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from fleetconf.units import parse

SECOND_US = 1_000_000
START_US = int(parse("2026-06-30T23:58:00Z", "instant") or 0)
RULES = [
    ("scaled", "scale", {"multiplier": 2.0, "offset": 1.0}, [{}]),
    ("fahrenheit", "convert", {"unit": "degF"}, [{"sensor_type": "temperature"}]),
    ("band", "deadband", {"threshold": 1.5, "heartbeat_s": 40.0}, [{}]),
    ("rate", "rate_of_change", {"per": "min"}, [{}]),
    ("mean", "window", {"function": "mean", "window_s": 30.0}, [{}]),
    ("weighted", "time_weighted_average", {"window_s": 25.0}, [{}]),
    ("itself", "derived", {"formula": "ratio"}, [{}, {"sensor_type": "temperature"}]),
    ("scaled mean", "window", {"function": "max", "window_s": 9.0}, "scaled"),
    ("scaled band", "deadband", {"threshold": 4.0}, "scaled"),
]
VALUES = """
select r.name, d.serial_number, p.measurement_timestamp, p.value, p.flag
from iot.processed_data as p
join iot.data_processing_rules as r using (organization_id, processing_rule_id)
join iot.sensors as s using (organization_id, sensor_id)
join iot.devices as d using (organization_id, device_id)
order by r.name, d.serial_number, p.measurement_timestamp
"""
MakeBench = Callable[..., Awaitable[Any]]


async def _save_rules(bench: Any) -> None:
    for name, kind, settings, inputs in RULES:
        await bench.fetch(
            """
            insert into iot.data_processing_rules
                (organization_id, name, kind, settings, inputs, output_name)
            select o.organization_id, $1, $2, $3::jsonb,
                coalesce($4::jsonb, jsonb_build_array(jsonb_build_object(
                    'processing_rule_id', (
                        select processing_rule_id from iot.data_processing_rules where name = $5
                    )
                ))), $1
            from iot.organizations as o
            """,
            name, kind, json.dumps(settings),
            None if isinstance(inputs, str) else json.dumps(inputs), str(inputs),
        )  # fmt: skip


def _batches() -> list[list[tuple[int, int, float]]]:
    """Four minutes over the end of a month: zeros, duplicates, late ones, ones that clash."""
    rng = np.random.default_rng(5)
    batches = []
    for part in range(12):
        batch = [
            (sensor, START_US + (part * 20 + k) * SECOND_US, float(round(value, 1)))
            for sensor in (0, 1, 2)
            for k, value in enumerate(rng.normal(2, 2, 20))
        ]
        batch[7] = (*batch[7][:2], 0.0)
        batches.append([batch[i] for i in rng.permutation(len(batch)).tolist()])
    late = [(0, START_US + 3 * SECOND_US + 1, 99.0), (2, START_US + 1, 5.0)]
    again = [*batches[3][:10], (0, batches[3][0][1], 1.0)]
    return [*batches[:6], late, again, *batches[6:], batches[-1]]


async def _play(
    bench: Any, kind: str, stop: int | None = None, loaded_at: tuple[int, ...] = (0,)
) -> tuple[Any, list[Any]]:
    """The values that an engine makes; it is made anew before some of the batches."""
    made, undefined = 0, 0
    for number, batch in enumerate(_batches()[:stop]):
        if number in loaded_at:
            engine = await bench.engine(kind, START_US + number * 20 * SECOND_US)
        stored = await bench.store(engine, batch, START_US + number * 20 * SECOND_US)
        made += stored.processed.values
        undefined += stored.processed.undefined
    found = await bench.fetch(VALUES)
    await bench.fetch(
        "truncate iot.sensor_data, iot.processed_data, iot.sensor_hourly_sums,"
        " iot.detector_checkpoints"
    )
    assert (made, undefined) == (len(found), sum(row["value"] is None for row in found))
    return engine, found


def _assert_same(a: list[Any], b: list[Any]) -> None:
    for one, other in zip(a, b, strict=True):
        value, other_value = one["value"], other["value"]
        assert one | {"value": 0} == other | {"value": 0}
        assert (value is None) == (other_value is None)
        assert value is None or value == pytest.approx(other_value, rel=1e-9, abs=1e-12)


async def test_engines_and_restarts_make_the_same_values(make_engine_bench: MakeBench) -> None:
    bench = await make_engine_bench()
    await _save_rules(bench)
    _, by_stream = await _play(bench, "stream")
    _, by_row = await _play(bench, "row")
    _assert_same(by_stream, by_row)
    for kind in ("stream", "row"):
        _, restarted = await _play(bench, kind, loaded_at=(0, 2, 5, 7, 11))
        _assert_same(by_stream, restarted)
    names = {row["name"] for row in by_stream}
    assert names == {name for name, *_ in RULES}
    flags = {(row["name"], row["flag"]) for row in by_stream}
    assert {("itself", 1), ("itself", 0), ("scaled", 28 - 16)} <= flags
    late = {row["name"] for row in by_stream if row["flag"] & 8}
    assert late == {"scaled", "fahrenheit"}


async def test_values_lie_in_their_month_and_strays_are_fetched_home(
    make_engine_bench: MakeBench,
) -> None:
    bench = await make_engine_bench(1)
    await _save_rules(bench)
    engine = await bench.engine("stream", START_US)
    await bench.store(engine, [(0, START_US, 1.0), (0, START_US + 200 * SECOND_US, 2.0)], START_US)
    parts = "select distinct tableoid::regclass::text as name from iot.processed_data order by 1"
    rows = await bench.fetch(parts)
    assert [row["name"] for row in rows] == [
        "iot.processed_data_2026_06", "iot.processed_data_2026_07"
    ]
    await bench.fetch(
        "insert into iot.processed_data select '2026-09-05', value, organization_id, sensor_id,"
        " processing_rule_id, flag from iot.processed_data limit 1"
    )
    assert (await bench.fetch(parts))[-1]["name"] == "iot.processed_data_default"
    assert await bench.fetch("select iot.ensure_processed_month('2026-09-30') as made") == [
        {"made": True}
    ]
    assert (await bench.fetch(parts))[-1]["name"] == "iot.processed_data_2026_09"


async def test_values_that_outlived_their_reading_stay_and_hold_nothing_up(
    make_engine_bench: MakeBench,
) -> None:
    """Retention dropped the reading, a device sends it again."""
    bench = await make_engine_bench(2)
    await _save_rules(bench)
    engine = await bench.engine("stream", START_US)
    await bench.store(engine, [(0, START_US, 1.0)], START_US)
    before = await bench.fetch(VALUES)
    await bench.fetch("truncate iot.sensor_data, iot.sensor_hourly_sums, iot.detector_checkpoints")
    engine = await bench.engine("stream", START_US)
    stored = await bench.store(engine, [(0, START_US, 7.0), (1, START_US, 8.0)], START_US)
    assert not stored.duplicate.any()
    after = await bench.fetch(VALUES)
    assert [row for row in after if row["serial_number"] == "d0"] == before
    assert {row["name"] for row in after if row["serial_number"] == "d1"} >= {"scaled", "band"}


@pytest.mark.parametrize("kind", ["stream", "row"])
async def test_a_batch_that_is_not_stored_moves_nothing(
    make_engine_bench: MakeBench, kind: str
) -> None:
    bench = await make_engine_bench(1)
    await _save_rules(bench)
    engine = await bench.engine(kind, START_US)
    await bench.store(engine, [(0, START_US, 1.0)], START_US)
    await bench.fetch("revoke insert on iot.processed_data from iot_ingest")
    with pytest.raises(Exception, match="permission denied"):
        await bench.store(engine, [(0, START_US + SECOND_US, 100.0)], START_US + 1)
    assert await bench.fetch("select count(*) as n from iot.sensor_data") == [{"n": 1}]
    await bench.fetch("grant insert on iot.processed_data to iot_ingest")
    await engine.restore(bench.pool, START_US + 2)
    await bench.store(engine, [(0, START_US + 2 * SECOND_US, 3.0)], START_US + 2)
    rows = await bench.fetch(VALUES)
    found = [row["value"] for row in rows if row["name"] in ("mean", "rate")]
    assert found == [1.0, 2.0, 60.0]
