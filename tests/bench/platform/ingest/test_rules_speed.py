"""What processing rules cost a reading, and how soon a changed rule is obeyed."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import numpy as np
import pytest

from fleetconf.units import parse
from fleetplatform.batch import Rows
from fleetplatform.ingest.rules.evaluation import Evaluation
from fleetplatform.ingest.rules.plans import Compiler
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.readings import ARROW_MEDIA_TYPE, encode_arrow
from fleetplatform.wire.resources.devices import NewDevice, NewDevices

pytestmark = pytest.mark.bench

SECOND_US = 1_000_000
START_US = int(parse("2026-06-10T00:00:00Z", "instant") or 0)
SENSORS = 2_000
READINGS = 10
"""Of each sensor in a batch."""
BATCHES = 12
SAVED = [
    ("fahrenheit", "convert", {"unit": "degF"}),
    ("mean", "window", {"function": "mean", "window_s": 60.0}),
    ("rate", "rate_of_change", {}),
]
OTHERS = [
    ("scale", "scale", {"multiplier": 2.0}),
    ("clamp", "clamp", {"min": 0.0}),
    ("band", "deadband", {"threshold": 0.5}),
    ("deviation", "window", {"function": "stddev", "window_s": 60.0}),
    ("weighted", "time_weighted_average", {"window_s": 60.0}),
    ("ratio", "derived", {"formula": "ratio"}),
]
CHANGES = 100
PAUSE_S = 0.2
RATE = 20_000
BODIES_PER_S = 20
FLEET = 500


async def _save(bench: Any, rules: list[tuple[str, str, dict[str, Any]]]) -> None:
    await bench.fetch("update iot.data_processing_rules set is_active = false")
    for name, kind, settings in rules:
        inputs = [{}, {}] if kind == "derived" else [{}]
        await bench.fetch(
            "insert into iot.data_processing_rules"
            " (organization_id, name, kind, settings, inputs, output_name)"
            " select organization_id, $1, $2, $3::jsonb, $4::jsonb, $1 from iot.organizations",
            f"{name} {time.monotonic_ns()}", kind, json.dumps(settings), json.dumps(inputs),
        )  # fmt: skip


def _columns(batch: int) -> tuple[Any, Any, Any]:
    """Every sensor once a second, in order of sensor and time."""
    sensor = np.repeat(np.arange(SENSORS, dtype=np.int32), READINGS)
    seconds = np.tile(np.arange(batch * READINGS, (batch + 1) * READINGS), SENSORS)
    values = np.random.default_rng(batch).normal(20, 1, len(sensor))
    return sensor, START_US + SECOND_US * seconds, values


async def _stored(bench: Any) -> float:
    """µs a reading of whole batches, the median; the tables are empty before and after."""
    engine = await bench.engine("stream", START_US)
    spent = []
    for batch in range(BATCHES):
        began = time.perf_counter()
        await bench.store_columns(engine, *_columns(batch), START_US + batch)
        spent.append((time.perf_counter() - began) / (SENSORS * READINGS) * 1e6)
    await bench.fetch(
        "truncate iot.sensor_data, iot.processed_data, iot.sensor_hourly_sums,"
        " iot.detector_checkpoints"
    )
    return float(np.median(spent[2:]))


def _evaluated(directory: Any) -> tuple[float, float]:
    """µs a reading of the arrays alone, and the share of readings that made a value."""
    plans, _ = Compiler(directory, {}).compile()
    spent, made = [], 0
    for batch in range(BATCHES):
        sensor, t_us, values = _columns(batch)
        rows = Rows(
            **{field: np.zeros(len(sensor)) for field in Rows.__slots__}  # type: ignore[arg-type]
            | {"sensor": sensor, "measured_us": t_us, "value": values,
               "quality": np.zeros(len(sensor), np.int16), "received_us": 0}
        )  # fmt: skip
        began = time.perf_counter()
        evaluation = Evaluation.of(plans, rows)
        evaluation.settle()
        spent.append((time.perf_counter() - began) / len(sensor) * 1e6)
        made = sum(len(one.row) for one in evaluation.outputs)
    return float(np.median(spent[2:])), made / len(sensor)


async def test_what_rules_cost_a_reading(
    make_engine_bench: Callable[..., Awaitable[Any]],
) -> None:
    bench = await make_engine_bench(SENSORS)
    print(f"\nstream, batches of {SENSORS * READINGS:,} readings of {SENSORS:,} sensors")
    before = await _stored(bench)
    print(f"no rules: {before:.2f} µs a reading")
    await _save(bench, SAVED)
    after = await _stored(bench)
    arrays, made = _evaluated(bench.directory)
    print(
        f"3 rules on all sensors: {after:.2f} µs a reading ({after - before:+.2f}), of which arrays"
        f" {arrays:.2f}; {made:.1f} values a reading"
    )
    for one in [*SAVED, *OTHERS]:
        await _save(bench, [one])
        await bench.directory.refresh(bench.pool)
        arrays, made = _evaluated(bench.directory)
        print(f"  {one[0]:10} arrays {arrays:.3f} µs a reading, {made:.2f} values a reading")


async def test_how_soon_a_changed_rule_is_obeyed(
    running: Any,
) -> None:
    """From the API's answer to the time of the first batch whose values are the new rule's."""
    async with running.client() as client:
        new = [NewDevice(serial_number="g", device_type="gateway")]
        new += [
            NewDevice(serial_number=f"d{n}", device_type="climate_v2", gateway="g")
            for n in range(FLEET)
        ]
        enrolled = (await client.enrol(NewDevices(devices=tuple(new)))).devices
    ids = [one.sensor_ids[0] for one in enrolled[1:]]
    async with httpx.AsyncClient(base_url=running.url, timeout=60) as http:
        stop = asyncio.Event()
        sending = asyncio.create_task(_send(http, enrolled[0].token, ids, stop))
        answered_us = await _change(http, running.api_key)
        await asyncio.sleep(2)
        stop.set()
        per_s = await sending
    conn = await asyncpg.connect(running.owner_url)
    rows = await conn.fetch(
        "select p.value::integer as change,"
        " (extract(epoch from min(d.received_at)) * 1000000)::bigint as obeyed_us"
        " from iot.processed_data as p join iot.sensor_data as d"
        " using (organization_id, sensor_id, measurement_timestamp) group by 1"
    )
    await conn.close()
    obeyed_us = {row["change"]: row["obeyed_us"] for row in rows}
    missing = [change for change in answered_us if change not in obeyed_us]
    delays_ms = np.array(
        [max(0, obeyed_us[k] - t) / 1e3 for k, t in answered_us.items() if k in obeyed_us]
    )
    p50, p99 = np.percentile(delays_ms, [50, 99])
    print(
        f"\n{len(answered_us)} changes under {per_s:,.0f} readings/s: obeyed after"
        f" {p50:.0f} ms (p50), {p99:.0f} ms (p99), {delays_ms.max():.0f} ms (max);"
        f" never: {len(missing)}"
    )


async def _change(http: httpx.AsyncClient, key: str) -> dict[int, int]:
    """Give a rule another multiplier again and again; when each was answered, by multiplier."""
    headers = {"Authorization": f"Bearer {key}"}
    body = {"name": "r", "kind": "scale", "settings": {"multiplier": 1}}
    made = await http.post("/v1/processing-rules", json=body, headers=headers)
    path = f"/v1/processing-rules/{made.json()['processing_rule_id']}"
    answered_us = {}
    for change in range(2, CHANGES + 2):
        await asyncio.sleep(PAUSE_S)
        settings = {"settings": {"multiplier": change}}
        answer = await http.patch(path, json=settings, headers=headers)
        answered_us[change] = wall_now_us()
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(PAUSE_S)
    return answered_us


async def _send(
    http: httpx.AsyncClient, token: str | None, ids: list[UUID], stop: asyncio.Event
) -> float:
    """Readings of value 1 at a steady rate, whatever the answers take; how many a second."""
    high = np.array([one.int >> 64 for one in ids], dtype=np.uint64)
    low = np.array([one.int & (2**64 - 1) for one in ids], dtype=np.uint64)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": ARROW_MEDIA_TYPE}
    each = RATE // BODIES_PER_S
    which = np.arange(each) % FLEET
    began, number, waiting = time.monotonic(), 0, set()
    start_us = wall_now_us()
    while not stop.is_set():
        t_us = start_us + number * (SECOND_US // BODIES_PER_S) + np.arange(each)
        body = encode_arrow(high[which], low[which], t_us, np.ones(each))
        waiting.add(
            asyncio.create_task(http.post("/v1/readings", content=body, headers=headers))
        )
        number += 1
        await asyncio.sleep(max(0.0, began + number / BODIES_PER_S - time.monotonic()))
    taken = time.monotonic() - began
    answers = await asyncio.gather(*waiting)
    assert all(answer.json()["accepted"] == each for answer in answers)
    return number * each / taken
