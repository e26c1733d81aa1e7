"""The state of the detector seasonal outlives its process and a failed batch."""

import numpy as np
import pytest

from fleetplatform.errors import SettingsError
from fleetplatform.ingest.engines import make_engine
from fleetplatform.registry.directory import Directory
from fleetplatform.settings import EncryptionKeys
from fleetplatform.timeseries.instants import to_datetime

HOUR_US = 3_600_000_000
START_US = 1_780_272_000_000_000
SENSORS = 3
HOURS = 36
KEYS = EncryptionKeys(active="k1", keys={"k1": bytes(range(32))})
ROWS = """
select r.sensor_id, measurement_timestamp, anomaly_score, is_anomaly
from iot.sensor_data as r
join iot.sensors as s using (sensor_id)
join iot.devices as d on d.device_id = r.device_id
order by d.serial_number, measurement_timestamp
"""
EMPTY = (
    "truncate iot.sensor_data, iot.sensor_hourly_sums, iot.detector_checkpoints,"
    " iot.seasonal_profiles, iot.seasonal_hours"
)


def hour_of(hour: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten-minute readings of three sensors in one hour, with a spike now and then."""
    minutes = np.arange(hour * 60, hour * 60 + 60, 10)
    t_us = np.tile(START_US + minutes * 60_000_000, SENSORS)
    sensor = np.repeat(np.arange(SENSORS, dtype=np.int32), len(minutes))
    value = 20 + 6 * np.cos(2 * np.pi * (t_us / HOUR_US) / 24) + (t_us // 7919 + sensor) % 17 / 40
    value[(t_us // 600_000_000 + sensor) % 97 == 0] += 30
    return sensor, t_us, value


async def store_hour(bench, engine, hour: int) -> None:
    sensor, t_us, value = hour_of(hour)
    await bench.store_columns(engine, sensor, t_us, value, START_US + (hour + 1) * HOUR_US)


async def store_late(bench, engine, hour: int) -> None:
    """A reading of the hour before, far off: it is stored, and must teach nothing."""
    late_us = START_US + hour * HOUR_US - 90_000_000
    late = np.array([0], np.int32), np.array([late_us]), np.array([900.0])
    await bench.store_columns(engine, *late, START_US + (hour + 1) * HOUR_US + 1)


async def play(bench, restarts: dict[int, bool]) -> list[tuple[object, ...]]:
    """Scores of all hours; after some a new engine goes on, with or without a last checkpoint."""
    engine = await bench.engine("stream", START_US, detector="seasonal")
    for hour in range(HOURS):
        await store_hour(bench, engine, hour)
        if hour in (2, 13, 30):
            await store_late(bench, engine, hour)
        if hour in restarts:
            if restarts[hour]:
                await engine.checkpoint(bench.pool)
            now_us = START_US + (hour + 1) * HOUR_US
            engine = await bench.engine("stream", now_us, detector="seasonal")
    await engine.checkpoint(bench.pool)
    found = await bench.fetch(ROWS)
    await bench.fetch(EMPTY)
    return [tuple(row.values()) for row in found]


async def test_scores_after_kills_and_orderly_ends_are_those_without(make_engine_bench) -> None:
    """Killed before any checkpoint, after one, and hours after one."""
    bench = await make_engine_bench()
    undisturbed = await play(bench, {})
    assert sum(row[2] is not None for row in undisturbed) > SENSORS * 6 * 6
    assert any(row[3] for row in undisturbed)
    assert await play(bench, {3: False, 9: True, 14: False, 27: True, 31: False}) == undisturbed


async def test_another_detector_believes_no_checkpoint_but_the_rows(make_engine_bench) -> None:
    bench = await make_engine_bench()
    undisturbed = await play(bench, {})
    engine = await bench.engine("stream", START_US)
    for hour in range(20):
        await store_hour(bench, engine, hour)
        if hour in (2, 13):
            await store_late(bench, engine, hour)
    await engine.checkpoint(bench.pool)
    engine = await bench.engine("stream", START_US + 20 * HOUR_US, detector="seasonal")
    for hour in range(20, HOURS):
        await store_hour(bench, engine, hour)
        if hour == 30:
            await store_late(bench, engine, hour)
    found = [tuple(row.values()) for row in await bench.fetch(ROWS)]
    again = to_datetime(START_US + 20 * HOUR_US)
    later = [n for n, row in enumerate(found) if row[1] >= again]
    assert [found[n] for n in later] == [undisturbed[n] for n in later]


async def test_a_batch_that_was_not_stored_has_taught_nothing(make_engine_bench) -> None:
    bench = await make_engine_bench()
    undisturbed = await play(bench, {})
    engine = await bench.engine("stream", START_US, detector="seasonal")
    for hour in range(HOURS):
        if hour == 25:
            # Refused by the table: the COPY fails after the detector has seen the batch.
            await bench.fetch(
                "alter table iot.sensor_data add constraint refused"
                " check (measurement_value < 1000) not valid"
            )
            sensor, t_us, value = hour_of(hour)
            value[::2] += 5000
            with pytest.raises(Exception, match="refused"):
                await bench.store_columns(engine, sensor, t_us, value, START_US + 26 * HOUR_US)
            await bench.fetch("alter table iot.sensor_data drop constraint refused")
        await store_hour(bench, engine, hour)
        if hour in (2, 13, 30):
            await store_late(bench, engine, hour)
    assert [tuple(row.values()) for row in await bench.fetch(ROWS)] == undisturbed


async def test_what_was_written_of_another_time_is_forgotten(make_engine_bench) -> None:
    """The clock was set back: hours that have not come yet are no state."""
    bench = await make_engine_bench()
    engine = await bench.engine("stream", START_US, detector="seasonal")
    for hour in range(2):
        await store_hour(bench, engine, hour)
    await engine.checkpoint(bench.pool)
    written = "select from iot.seasonal_profiles join iot.seasonal_hours using (sensor_id)"
    assert len(await bench.fetch(written)) == SENSORS
    await bench.fetch("truncate iot.sensor_data")
    await bench.engine("stream", START_US - 100 * HOUR_US, detector="seasonal")
    assert await bench.fetch(written) == []


async def test_sensitive_sensors_and_late_readings_are_kept_from_it(make_engine_bench) -> None:
    bench = await make_engine_bench()
    await bench.fetch(
        "update iot.sensors set sensitive = true"
        " where sensor_id = (select sensor_id from iot.sensors limit 1)"
    )
    engine = await bench.engine("stream", START_US, KEYS, detector="seasonal")
    for hour in range(2):
        await store_hour(bench, engine, hour)
    await engine.checkpoint(bench.pool)
    written = "select sensor_id, hour_sums from iot.seasonal_hours order by 1"
    known = await bench.fetch(written)
    open_ones = await bench.fetch("select sensor_id from iot.sensors where not sensitive")
    assert {row["sensor_id"] for row in known} == {row["sensor_id"] for row in open_ones}
    late_us = np.full(SENSORS, START_US + HOUR_US + 60_000_000)
    late = np.arange(SENSORS, dtype=np.int32), late_us, np.full(SENSORS, 900.0)
    await bench.store_columns(engine, *late, START_US + 3 * HOUR_US)
    await engine.checkpoint(bench.pool)
    assert str(await bench.fetch(written)) == str(known)  # a limit may be NaN


@pytest.mark.parametrize(
    ("engine", "detector", "message"),
    [
        ("row", "seasonal", "the engine row computes three_sigma in SQL and has no seasonal"),
        ("stream", "median", "no detector 'median'; use seasonal, three_sigma"),
    ],
)
def test_what_no_engine_scores_by_is_refused(make_settings, engine, detector, message):
    with pytest.raises(SettingsError, match=message):
        make_engine(make_settings(engine=engine, detector=detector), Directory())
