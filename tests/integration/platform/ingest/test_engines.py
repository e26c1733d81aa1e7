"""The engines: on the same input they end in the same tables."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetconf.units import parse
from fleetplatform.alerting.life import sensor_id
from fleetplatform.settings import EncryptionKeys
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
CALIBRATE = """
insert into iot.sensor_calibrations (
    organization_id, sensor_id, multiplier, offset_value, higher_factors, valid_from, due_at
)
select
    organization_id, sensor_id, $2, $3, $4, to_timestamp($5), to_timestamp($6::float8)
from iot.sensors where sensor_id = $1
"""
ADD_RULE = """
insert into iot.alert_rules (
    organization_id, name, conditions, severity, sensor_type, device_type, sensor_id
)
select organization_id, uuidv7()::text, $1::text::jsonb, 'warning', $2, $3, $4
from iot.organizations
"""
WRITTEN = (
    "alert_events", "alerts", "sensor_data", "sensor_hourly_sums", "detector_checkpoints",
)  # fmt: skip
SENSITIVE = "update iot.sensors set sensitive = true where sensor_id = any ($1)"
ROWS = """
select s.position, d.serial_number, r.measurement_timestamp, r.measurement_value, r.raw_value,
    r.data_quality, r.is_anomaly, r.anomaly_score, r.measurement_metadata, r.received_at,
    v.sensor_value, v.sent_value
from iot.sensor_data as r
join iot.sensors as s using (sensor_id)
join iot.devices as d on d.device_id = r.device_id
left join lateral iot.decrypt_sensor_value(
    value_encrypted, sensor_id, measurement_timestamp, $1, $2
) as v on value_encrypted is not null
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
KEYS = EncryptionKeys(active="mine", keys={"mine": bytes(range(32))})
KINDS = ("row", "set", "stream")
UNJUDGED = {"anomaly_score": None, "is_anomaly": None}

MakeBench = Callable[..., Awaitable[Any]]
Batch = list[tuple[int, int, float]]


def _batches() -> list[Batch]:
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
    # A late reading raises what the next in time clears, whichever came first.
    mixed = [(0, now + HOUR_US, 20.0), (0, START_US + 9 * SECOND_US, 40.0)]
    # What the batch brings of an hour is in the baseline of its next hour.
    hours = [(2, now + 2 * HOUR_US + k * SECOND_US, 40.0 + k % 5) for k in range(40)]
    hours += [(2, now + 3 * HOUR_US + k, 24.5) for k in range(3)]
    return [*batches, [(1, now + HOUR_US, 60.0)], mixed, hours]


class Played(NamedTuple):
    """What an engine made of some batches: its answers, the rows, the alerts."""

    stored: list[Any]
    rows: list[dict[str, Any]]
    alerts: list[dict[str, Any]]


async def _play(
    bench: Any, kind: str, batches: list[Batch], restarts: list[bool] | None = None
) -> Played:
    """Have an engine store the batches, some by a new process, and empty the tables again."""
    engine = await bench.engine(kind, START_US, KEYS)
    stored = []
    for hour, batch in enumerate(batches):
        if restarts and restarts[hour]:
            engine = await bench.engine(kind, START_US + 24 * HOUR_US, KEYS)
        if batch:
            stored.append(await bench.store(engine, batch, START_US + hour * HOUR_US))
    rows = await bench.fetch(ROWS, KEYS.ids, KEYS.secrets)
    found = Played(stored, rows, await bench.fetch(ALERTS))
    await _forget(bench)
    return found


async def _forget(bench: Any) -> None:
    """Empty the tables that engines write."""
    await bench.execute([(f"delete from iot.{name}",) for name in WRITTEN])


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


class Case(NamedTuple):
    """A fleet, its rules, and batches of (sensor, seconds, value); a batch may begin a new process.

    sensitive: for each sensor whether it is · calibrations: of (sensor, hour from which it holds,
    multiplier, offset, higher factors, hour at which the next is due) · rules: conditions with
    sensor type, device type and sensor, where they are limited to one.
    """

    sensitive: list[bool]
    calibrations: list[tuple[int, int, float, float, list[float] | None, int | None]]
    rules: list[tuple[dict[str, float], int | None, str | None, int | None]]
    batches: list[Batch]
    restarts: list[bool]


VALUES = st.one_of(
    st.sampled_from([21.0, 20.5, 30.0, 99.0, -41.0, 0.0, -0.0]),
    st.floats(-60, 100),
    st.sampled_from([1e300, -1e308, 5e-324, 1.7e308, 1e100, 1e-200]),
)
FACTORS = st.sampled_from([1.0, 0.0, 1.5, -2.0, 1e-3, 1e200])
RULE = st.tuples(
    st.dictionaries(
        st.sampled_from(["threshold_high", "threshold_low"]), st.integers(-50, 60).map(float),
        min_size=1,
    ),
    st.sampled_from([None, None, 1, 2]),
    st.sampled_from([None, None, "thermometer"]),
    st.none() | st.integers(0, 2),
)  # fmt: skip


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    """A few sensors over 27 hours; times are few, so that they meet, early and late."""
    sensors = st.integers(0, draw(st.integers(1, 4)) - 1)
    times = st.builds(lambda hour, s: hour * 3600 + s, st.integers(0, 26), st.integers(0, 4))
    calibration = st.tuples(
        sensors, st.integers(0, 26), FACTORS.filter(bool), FACTORS,
        st.none() | st.lists(FACTORS, min_size=1, max_size=4).filter(lambda f: f[-1] != 0),
        st.none() | st.integers(27, 30),
    )  # fmt: skip
    batch = st.lists(st.tuples(sensors, times, VALUES), min_size=1, max_size=25)
    batches = draw(st.lists(batch, min_size=1, max_size=4))
    batches.insert(draw(st.integers(0, 1)), _history(draw, sensors))
    again = [one for past in batches for one in past]
    batches.append(draw(st.lists(st.sampled_from(again), min_size=1, max_size=10)))
    return Case(
        draw(st.lists(st.booleans(), min_size=4, max_size=4)),
        draw(st.lists(calibration, max_size=4, unique_by=lambda c: c[:2])),
        draw(st.lists(RULE, max_size=4)),
        batches,
        draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches))),
    )


def _history(draw: st.DrawFn, sensors: st.SearchStrategy[int]) -> Batch:
    """As many readings as a baseline needs: noise, or a stuck sensor, with a spike at its end."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    spread = draw(st.sampled_from([0.0, 1e-7, 1.0, 10.0]))
    hours = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
    return [
        (sensor, hour * 3600 + 60 * k, float(value))
        for sensor in draw(st.sets(sensors, min_size=1, max_size=2))
        for hour in hours
        for k, value in enumerate([*rng.normal(21, spread, 29), 60.0])
    ]


SENSORS = 4
FLEETS = 500


class Fleets:
    """A database with sensors for many fleets, a fresh one for each case."""

    def __init__(self, bench: Any) -> None:
        self._bench = bench
        self._used = 0

    async def agree_on(self, case: Case) -> None:
        """Have the three engines store the same, and compare."""
        first = self._used % FLEETS * SENSORS
        self._used += 1
        await self._prepare(case, first)
        batches = [
            [(first + sensor, START_US + s * SECOND_US, value) for sensor, s, value in batch]
            for batch in case.batches
        ]
        by_row = await _play(self._bench, "row", batches)
        for kind in ("set", "stream"):
            _assert_same(by_row, await _play(self._bench, kind, batches, case.restarts))

    async def _prepare(self, case: Case, first: int) -> None:
        bench = self._bench
        await bench.directory.refresh(bench.pool)
        ids = [sensor_id(bench.directory, first + index) for index in range(SENSORS)]
        statements: list[tuple[Any, ...]] = [("update iot.alert_rules set is_active = false",)]
        secret = [one for one, is_secret in zip(ids, case.sensitive, strict=True) if is_secret]
        statements.append((SENSITIVE, secret))
        start_s = START_US // SECOND_US
        for sensor, hour, factor, addend, higher, due in case.calibrations:
            valid_s, due_s = start_s + hour * 3600, due and start_s + due * 3600 + 2
            statements.append((CALIBRATE, ids[sensor], factor, addend, higher, valid_s, due_s))
        for conditions, sensor_type, device_type, sensor in case.rules:
            at = None if sensor is None else ids[sensor]
            statements.append((ADD_RULE, json.dumps(conditions), sensor_type, device_type, at))
        await bench.execute(statements)


@pytest.fixture
async def fleets(make_engine_bench: MakeBench) -> Fleets:
    """Fresh sensors for each case, all in one database."""
    return Fleets(await make_engine_bench(FLEETS * SENSORS))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=_cases())
async def test_the_engines_agree(fleets: Fleets, case: Case) -> None:
    """Whatever the fleet, its rules, faults, duplicates, conflicts and late readings."""
    await fleets.agree_on(case)


@pytest.mark.campaign
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=_cases())
async def test_the_engines_agree_on_many_cases(fleets: Fleets, case: Case) -> None:
    """The same, for longer."""
    await fleets.agree_on(case)


async def test_duplicates_cost_no_correctness(make_engine_bench: MakeBench) -> None:
    """Batches with 0, 5 and 100 % of readings sent before end in the same tables.

    The same to the time of receipt; what comes after them is judged the same too.
    """
    bench = await make_engine_bench()
    await bench.fetch(RULES)
    rng = np.random.default_rng(11)
    first, second, third = [
        [
            (sensor, START_US + (hour * 60 + minute) * 60 * SECOND_US, float(value))
            for sensor in (0, 1, 2)
            for minute, value in enumerate(rng.normal(25, 4, 35))
        ]
        for hour in range(3)
    ]
    few = [second[i] for i in rng.integers(0, len(second), len(second) // 20)]
    few += [first[i] for i in rng.integers(0, len(first), len(first) // 20)]
    for kind in KINDS:
        clean = await _play(bench, kind, [first, second, [], third])
        assert sum(stored.alerts_raised for stored in clean.stored) > 5
        assert any(row["is_anomaly"] for row in clean.rows)
        for again, count in (([*second, *few], len(few)), ([*second, *second], len(second))):
            played = await _play(bench, kind, [first, again, [], third])
            assert int(played.stored[1].duplicate.sum()) == count, kind
            assert (played.rows, played.alerts) == (clean.rows, clean.alerts), kind
        played = await _play(bench, kind, [first, second, second, third])
        assert played.stored[2].duplicate.all(), kind
        assert (played.rows, played.alerts) == (clean.rows, clean.alerts), kind


async def test_two_that_store_the_same_at_once_store_it_once(make_engine_bench: MakeBench) -> None:
    """As when a batch that was given up is committing still."""
    bench = await make_engine_bench()
    await bench.fetch(RULES)
    batch = [(sensor, START_US + k * SECOND_US, 35.0) for sensor in (0, 1, 2) for k in range(30)]
    for kind in KINDS:
        one, other = [await bench.engine(kind, START_US) for _ in range(2)]
        stored = await asyncio.gather(
            bench.store(one, batch, START_US), bench.store(other, batch, START_US)
        )
        assert sorted(int(one.duplicate.sum()) for one in stored) == [0, len(batch)], kind
        raised = sum(one.alerts_raised for one in stored)
        assert raised == len(await bench.fetch(ALERTS)) == 3, kind
        await _forget(bench)
