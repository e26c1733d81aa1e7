"""How the engine `row` gets at its baseline."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from fleetconf.units import parse
from fleetplatform.alerting.life import sensor_id

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
START_US = int(parse("2026-06-30T00:00:00Z", "instant") or 0)

MakeBench = Callable[..., Awaitable[Any]]


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
