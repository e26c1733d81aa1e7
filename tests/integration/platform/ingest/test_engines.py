"""The engines: the same rows and alerts, and how `row` gets at its baseline."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg
import numpy as np
import pytest

from fleetconf.units import parse
from fleetplatform.alerting.life import sensor_id
from fleetplatform.timeseries.instants import to_us

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
START_US = int(parse("2026-06-30T00:00:00Z", "instant") or 0)
RULES = """
insert into iot.alert_rules (organization_id, name, conditions, severity, sensor_type)
select organization_id, r.name, r.conditions::jsonb, 'warning', r.sensor_type
from iot.organizations, (values
    ('hot', '{"threshold_high": 30}', null),
    ('between', '{"threshold_high": 20, "threshold_low": 22}', 1::smallint),
    ('humid', '{"threshold_high": 0}', 2::smallint)
) as r (name, conditions, sensor_type)
"""
HISTORIES = """
insert into iot.sensor_calibrations (
    organization_id, sensor_id, multiplier, offset_value, higher_factors, valid_from, due_at
)
select s.organization_id, s.sensor_id, c.multiplier, c.offset_value, c.higher::float8[],
    timestamptz '2026-06-30T00:00:00Z' + c.hours * interval '1 hour',
    timestamptz '2026-06-30T00:00:00Z' + c.due * interval '1 hour'
from iot.sensors as s
join iot.devices as d using (device_id)
join (values
    ('d1', 1.1, -0.25, '{0.001,1e-5,-1e-7,1e-9}', 20, null),
    ('d2', 0.8, 0, '{0.01}', 5, 10),
    ('d2', 1, 0, null, 12, 12.5),
    ('d2', 0, 21, '{0.02,0,-0.0003}', 24, 48)
) as c (serial_number, multiplier, offset_value, higher, hours, due) using (serial_number)
"""
"""Polynomials, a line that changes nothing, what is past due; late readings meet the older ones."""
ROWS = """
select s.position, d.serial_number, r.measurement_timestamp, r.measurement_value, r.raw_value,
    r.data_quality, r.is_anomaly, r.anomaly_score, r.measurement_metadata, r.received_at
from iot.sensor_data as r
join iot.sensors as s using (sensor_id)
join iot.devices as d on d.device_id = r.device_id
order by d.serial_number, r.measurement_timestamp
"""
ALERTS = """
select r.name, d.serial_number, a.alert_status, a.alert_timestamp, a.trigger_value, a.resolved_at,
    (select array_agg(e.event order by e.occurred_at, e.event_id)
     from iot.alert_events as e where e.alert_id = a.alert_id) as events
from iot.alerts as a
join iot.alert_rules as r using (rule_id)
join iot.devices as d on d.device_id = a.device_id
order by r.name, d.serial_number, a.alert_timestamp
"""
UNJUDGED = {"anomaly_score": None, "is_anomaly": None}

MakeBench = Callable[..., Awaitable[Any]]


def _batches() -> list[list[tuple[int, int, float]]]:
    """Two days of readings with everything that the engines must agree on."""
    rng = np.random.default_rng(5)
    batches = []
    for hour in range(27):
        batch = [
            (sensor, START_US + hour * HOUR_US + k * 60 * SECOND_US, float(value))
            for sensor in (0, 1, 2)
            for k, value in enumerate(rng.normal(21, 2, 20))
        ]
        rng.shuffle(batch)
        batches.append([(int(s), int(t), float(v)) for s, t, v in batch])
    late = [(0, START_US + HOUR_US + 30 * SECOND_US, 99.0), (1, START_US + 7 * SECOND_US, 5.0)]
    late += [(2, START_US + hour * HOUR_US + 7 * SECOND_US, 20.5) for hour in (4, 6, 11, 13)]
    now = START_US + 27 * HOUR_US
    duplicates = [*batches[-1][:10], (0, batches[-1][0][1], 1.0)]
    extremes = [(2, now, 1e300), (2, now + 1, -1e300), (2, now + SECOND_US, 21.0)]
    same_time = [(0, now, 35.0), (0, now, 35.0), (0, now, 36.0)]
    conflicts = [(0, now, 36.0), (0, now, 36.0), (0, now + 1, 1.0), (0, now + 1, 2.0)]
    conflicts += [(0, now + 1, 2.0), (0, now + 1, 1.0)]
    # Sensor 1 is calibrated: what its factor makes of the first no float can hold.
    beyond = [(1, now + 1, 1.7e308), (1, now + 2, -1.7e308), (1, now + 3, 5e-324)]
    beyond += [(2, now + 2 * SECOND_US, 1e308), (0, now + 2 * SECOND_US, 22.0)]
    batches += [late, duplicates, extremes, same_time, conflicts, beyond]
    return [*batches, [(1, now + HOUR_US, 60.0)]]


class Played(NamedTuple):
    """What an engine made of some batches: its answers, the rows, the alerts."""

    stored: list[Any]
    rows: list[dict[str, Any]]
    alerts: list[dict[str, Any]]


async def _play(bench: Any, kind: str, batches: list[list[tuple[int, int, float]]]) -> Played:
    """Have an engine store the batches, and empty the tables again."""
    engine = await bench.engine(kind, START_US)
    stored = [
        await bench.store(engine, batch, START_US + hour * HOUR_US)
        for hour, batch in enumerate(batches)
    ]
    found = Played(stored, await bench.fetch(ROWS), await bench.fetch(ALERTS))
    await bench.fetch(
        "truncate iot.sensor_data, iot.alerts, iot.alert_events, iot.sensor_hourly_sums,"
        " iot.detector_checkpoints"
    )
    return found


async def test_the_engines_store_the_same_rows_and_alerts(make_engine_bench: MakeBench) -> None:
    bench = await make_engine_bench()
    await bench.fetch(RULES)
    await bench.fetch(HISTORIES)
    by_row = await _play(bench, "row", _batches())
    for kind in ("set", "stream"):
        _assert_same(by_row, await _play(bench, kind, _batches()))
    stored, rows, _ = by_row
    assert sum(one.alerts_raised for one in stored) > 10
    assert any(row["is_anomaly"] for row in rows)
    assert {row["data_quality"] & 80 for row in rows} == {0, 16, 64, 80}
    assert _forms(rows) == {(5, True), (11, True), (20, False), (26, True)}


def _assert_same(one: Played, other: Played) -> None:
    """Both engines have said and stored the same."""
    for a, b in zip(one.stored, other.stored, strict=True):
        assert a.duplicate.tolist() == b.duplicate.tolist()
        assert (a.conflicts, a.alerts_raised, a.alerts_cleared) == (
            b.conflicts, b.alerts_raised, b.alerts_cleared
        )
    for a, b in zip(one.rows, other.rows, strict=True):
        (score, flag), (other_score, other_flag) = _judgement(a), _judgement(b)
        assert {**a, **UNJUDGED} == {**b, **UNJUDGED}
        assert (score is None) == (other_score is None)
        if score is None:
            assert flag == other_flag
        else:
            # A real has 24 bits; before it is cut to them the scores agree to 1e-9.
            assert score == pytest.approx(other_score, rel=1e-6)
            assert flag == other_flag or abs(score - 3) < 1e-6
    assert one.alerts == other.alerts


def _judgement(row: dict[str, Any]) -> tuple[float | None, bool]:
    return row["anomaly_score"], row["is_anomaly"]


def _forms(rows: list[Any]) -> set[tuple[int, bool]]:
    """Of sensor 2 after some hours: whether what came was changed."""
    return {
        (hour, row["raw_value"] is not None)
        for row in rows
        for hour in (5, 11, 20, 26)
        if row["serial_number"] == "d2"
        and to_us(row["measurement_timestamp"]) // HOUR_US == START_US // HOUR_US + hour
    }


async def test_the_row_engine_scans_its_24_hours_by_the_unique_index_of_one_or_two_partitions(
    make_engine_bench: MakeBench,
) -> None:
    """The plan of the very query that runs, as auto_explain logs it."""
    bench = await make_engine_bench()
    stream = await bench.engine("stream", START_US)
    past = [START_US - days * 24 * HOUR_US for days in (186, 124, 62)]
    readings = [(0, t, 20.0) for t in past]
    readings += [(0, START_US + k * SECOND_US, 20.0) for k in range(600)]
    readings += [(s, START_US + k * SECOND_US, 20.0) for s in (1, 2) for k in range(10_000)]
    await bench.store(stream, readings, START_US)
    plan = await _plan_of_baseline(bench, START_US + 5 * HOUR_US)
    scans = _scans(plan)
    assert scans, plan
    assert {scan["Node Type"] for scan in scans} <= {
        "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Bitmap Index Scan"
    }
    relations = {scan["Relation Name"] for scan in scans if "Relation Name" in scan}
    read = {name[:19] for name in relations if not name.startswith("sensor_data_default")}
    assert read <= {"sensor_data_2026_06", "sensor_data_2026_07"}


async def _plan_of_baseline(bench: Any, measured_us: int) -> dict[str, Any]:
    conn = await asyncpg.connect(bench.owner_url)
    logged: list[str] = []
    conn.add_log_listener(lambda _, message: logged.append(message.message))
    await conn.execute(
        "load 'auto_explain'; set auto_explain.log_min_duration = 0;"
        " set auto_explain.log_nested_statements = on; set auto_explain.log_format = json;"
        " set client_min_messages = log; analyze iot.sensor_data"
    )
    await conn.fetch(
        "select * from iot.process_sensor_data("
        "$1, to_timestamp($2::float8 / 1e6), 20, null, now(), null, array[]::text[],"
        " array[]::bytea[])",
        sensor_id(bench.directory, 0),
        measured_us,
    )
    await conn.close()
    (plan,) = [
        json.loads(re.sub(r"^[^{]*", "", text, count=1)) for text in logged if "stddev_samp" in text
    ]
    found: dict[str, Any] = plan["Plan"]
    return found


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    below = [scan for child in plan.get("Plans", []) for scan in _scans(child)]
    return [*below, plan] if "Scan" in plan["Node Type"] else below
