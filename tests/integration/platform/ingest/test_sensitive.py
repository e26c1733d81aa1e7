"""Sensitive sensors through all engines: what is stored, compared, judged and left out."""

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from fleetconf.units import parse
from fleetplatform.ingest.submission import Submission, gather
from fleetplatform.settings import EncryptionKeys

MakeBench = Callable[..., Awaitable[Any]]
KEYS = EncryptionKeys(active="new", keys={"old": bytes(32), "new": bytes(range(32))})
OLD = EncryptionKeys(active="old", keys={"old": bytes(32)})
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
START_US = int(parse("2026-06-30T00:00:00Z", "instant") or 0)
RULE = """
insert into iot.alert_rules (organization_id, name, conditions, severity)
select organization_id, 'hot', '{"threshold_high": 30}', 'warning' from iot.organizations
"""
SENSITIVE = "update iot.sensors set sensitive = true"
ROWS = """
select r.sensor_id, measurement_timestamp, received_at, data_quality, anomaly_score, is_anomaly,
    measurement_value, raw_value, measurement_metadata, value_encrypted,
    v.sensor_value, v.sent_value, v.metadata
from iot.sensor_data as r
left join lateral iot.decrypt_sensor_value(
    value_encrypted, sensor_id, measurement_timestamp, $1, $2
) as v on value_encrypted is not null
order by sensor_id, measurement_timestamp
"""
ALERTS = """
select sensor_id, alert_status, alert_timestamp, trigger_value, resolved_at from iot.alerts
order by sensor_id, alert_timestamp
"""


def _batches() -> list[list[tuple[int, int, float]]]:
    """Three hours, then late readings, duplicates, conflicts and what no decimal may spoil."""
    rng = np.random.default_rng(3)
    batches = [
        [
            (sensor, START_US + hour * HOUR_US + k * 60 * SECOND_US, float(value))
            for sensor in (0, 1, 2)
            for k, value in enumerate(rng.normal(25, 4, 40))
        ]
        for hour in range(3)
    ]
    now = START_US + 3 * HOUR_US
    late = [(0, START_US + 7 * SECOND_US, 99.0), (1, START_US + 8 * SECOND_US, 5.0)]
    again = [*batches[-1][:10], (0, batches[-1][0][1], 1.0), (1, batches[-1][41][1], -2.5)]
    same_time = [(0, now, 35.0), (0, now, 35.0), (0, now, 36.0), (1, now, 5e-324)]
    conflicts = [(0, now, 36.0), (0, now, 35.0), (0, now, 36.0), (1, now, 5e-324), (2, now, -0.0)]
    conflicts += [(2, now, 0.0), (2, now + 1, 0.1 + 0.2), (2, now + 2, -1.7976931348623157e308)]
    return [*batches, late, again, same_time, conflicts]


async def _play(bench: Any, kind: str) -> tuple[list[Any], list[Any], list[Any]]:
    engine = await bench.engine(kind, START_US, KEYS)
    stored = [await bench.store(engine, batch, START_US + 9 * HOUR_US) for batch in _batches()]
    await engine.checkpoint(bench.pool)
    found = stored, await bench.fetch(ROWS, KEYS.ids, KEYS.secrets), await bench.fetch(ALERTS)
    await bench.fetch("truncate iot.sensor_data, iot.alerts, iot.alert_events,"
                      " iot.sensor_hourly_sums, iot.detector_checkpoints")  # fmt: skip
    return found


@pytest.mark.parametrize("kind", ["stream", "set", "row"])
async def test_a_sensitive_sensor_is_stored_as_any_other_but_encrypted(
    make_engine_bench: MakeBench, kind: str
) -> None:
    """The same rows, duplicates, conflicts and alerts; no value, score or sum in clear."""
    bench = await make_engine_bench()
    await bench.fetch(RULE)
    plainly, plain, plain_alerts = await _play(bench, kind)
    await bench.fetch(SENSITIVE)
    secretly, secret, secret_alerts = await _play(bench, kind)
    for a, b in zip(plainly, secretly, strict=True):
        assert a.duplicate.tolist() == b.duplicate.tolist()
        assert (a.conflicts, a.alerts_raised, a.alerts_cleared) == (
            b.conflicts, b.alerts_raised, b.alerts_cleared
        )
    assert sum(one.conflicts for one in secretly) == 5
    for a, b in zip(plain, secret, strict=True):
        same = ("sensor_id", "measurement_timestamp", "data_quality")
        assert [a[key] for key in same] == [b[key] for key in same]
        assert b["sensor_value"] == a["measurement_value"]
        assert b["sent_value"] == (
            a["measurement_value"] if a["raw_value"] is None else a["raw_value"]
        )
        in_clear = ("measurement_value", "raw_value", "measurement_metadata", "anomaly_score")
        assert [b[key] for key in in_clear] == [None] * 4
        assert not b["is_anomaly"]
    assert len({row["value_encrypted"] for row in secret}) == len(secret)
    assert len(plain_alerts) > 5
    assert [{**a, "trigger_value": None} for a in plain_alerts] == secret_alerts


async def test_the_detector_learns_nothing_and_leaves_no_sums(make_engine_bench: MakeBench) -> None:
    bench = await make_engine_bench()
    await bench.fetch(SENSITIVE + " where device_id = (select device_id from iot.devices limit 1)")
    engine = await bench.engine("stream", START_US, KEYS)
    await bench.store(engine, _batches()[0], START_US + HOUR_US)
    await engine.checkpoint(bench.pool)
    known = await bench.fetch("select distinct sensor_id from iot.sensor_hourly_sums")
    open_ones = await bench.fetch("select sensor_id from iot.sensors where not sensitive")
    assert sorted(row["sensor_id"] for row in known) == sorted(r["sensor_id"] for r in open_ones)
    assert len(known) == 2


async def test_metadata_are_encrypted_with_the_value(make_engine_bench: MakeBench) -> None:
    bench = await make_engine_bench()
    await bench.fetch(SENSITIVE)
    for kind, at in (("stream", 0), ("row", 1), ("set", 2)):
        engine = await bench.engine(kind, START_US, KEYS)
        given = Submission(0, [0, 1], [START_US + at] * 2, [1.5, 2.5], ['{"who": "°É"}', None])
        await engine.store(bench.pool, gather([given], START_US), np.arange(2))
    rows = await bench.fetch(ROWS, KEYS.ids, KEYS.secrets)
    assert [row["metadata"] for row in rows] == ['{"who": "°É"}'] * 3 + [None] * 3
    assert [row["measurement_metadata"] for row in rows] == [None] * 6


@pytest.mark.parametrize("kind", ["stream", "set", "row"])
async def test_after_a_restart_with_another_key_duplicates_and_open_alerts_are_known(
    make_engine_bench: MakeBench, kind: str
) -> None:
    bench = await make_engine_bench()
    await bench.fetch(RULE)
    await bench.fetch(SENSITIVE)
    engine = await bench.engine(kind, START_US, OLD)
    hot = [(0, START_US, 41.5), (0, START_US + SECOND_US, 42.5)]
    assert (await bench.store(engine, hot, START_US)).alerts_raised == 1
    engine = await bench.engine(kind, START_US + 1, KEYS)
    again = await bench.store(engine, [*hot, (0, START_US, 0.0)], START_US + 1)
    assert (again.duplicate.all(), again.conflicts, again.alerts_raised) == (True, 1, 0)
    stored = await bench.store(engine, [(0, START_US + 2 * SECOND_US, 20.0)], START_US + 2)
    assert stored.alerts_cleared == 1
    ids = "select convert_from(substring(value_encrypted from 3 for 3), 'UTF8') as id"
    found = await bench.fetch(ids + " from iot.sensor_data order by measurement_timestamp")
    assert [row["id"] for row in found] == ["old", "old", "new"]


@pytest.mark.parametrize("kind", ["stream", "set", "row"])
async def test_a_stored_value_that_no_key_opens_is_a_duplicate_like_any(
    make_engine_bench: MakeBench, kind: str
) -> None:
    bench = await make_engine_bench()
    await bench.fetch(SENSITIVE)
    await bench.store(await bench.engine(kind, START_US, OLD), [(0, START_US, 1.0)], START_US)
    other = EncryptionKeys(active="old", keys={"old": bytes(range(32))})
    engine = await bench.engine(kind, START_US + 1, other)
    again = await bench.store(engine, [(0, START_US, 2.0), (1, START_US, 2.0)], START_US + 1)
    assert (again.duplicate.tolist(), again.conflicts) == ([True, False], 0)
