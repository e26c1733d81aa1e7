"""encode → decode → store → read gives the same bits."""

import struct

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.readings import encode_arrow, encode_json
from fleetplatform.wire.resources.devices import NewDevice

SENSORS = 50
VALUES = st.lists(
    st.floats(allow_nan=False, allow_infinity=False), min_size=200, max_size=600
)
STEPS = st.lists(st.integers(1, 50_000_000), min_size=200, max_size=600)


def bits(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


async def test_what_was_sent_is_what_is_read(platform, platform_rows):
    """Any finite values, in JSON and in Arrow, through the real service and PostgreSQL."""
    devices = [
        NewDevice(serial_number=f"d{n}", device_type="thermometer", gateway="g")
        for n in range(SENSORS)
    ]
    tenant = await platform.tenant(
        NewDevice(serial_number="g", device_type="gateway"), *devices
    )
    ids = [tenant.sensor(f"d{n}") for n in range(SENSORS)]
    high = np.array([i.int >> 64 for i in ids], dtype=np.uint64)
    low = np.array([i.int & (2**64 - 1) for i in ids], dtype=np.uint64)
    at = wall_now_us() - 200 * 86_400_000_000

    async def send(values: list[float], steps: list[int], as_arrow: bool) -> None:
        nonlocal at
        count = min(len(values), len(steps))
        t_us = (at + np.cumsum(steps[:count])).astype(np.int64)
        at = int(t_us[-1])
        which = np.arange(count) % SENSORS
        if as_arrow:
            body = encode_arrow(high[which], low[which], t_us, np.array(values[:count]))
            answer = await platform.post_arrow(tenant.token("g"), body)
        else:
            body = encode_json([str(ids[w]) for w in which], t_us.tolist(), values[:count])
            answer = await platform.post(tenant.token("g"), body)
        assert answer.body["accepted"] == count, answer
        found = await platform_rows.fetch(
            "select (extract(epoch from measurement_timestamp) * 1000000)::bigint as t,"
            " sensor_id, coalesce(raw_value, measurement_value) as v from iot.sensor_data"
            " where sensor_id = any ($1) and measurement_timestamp >= $2::text::timestamptz"
            " order by measurement_timestamp",
            ids, str(np.datetime64(int(t_us[0]), "us")) + "Z",
        )  # fmt: skip
        sent = [
            (t, ids[w], bits(v)) for t, w, v in zip(t_us.tolist(), which, values, strict=False)
        ]
        assert [(row["t"], row["sensor_id"], bits(row["v"])) for row in found] == sent

    examples: list[tuple[list[float], list[int], bool]] = []

    @settings(
        max_examples=8, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(VALUES, STEPS, st.booleans())
    def collect(values: list[float], steps: list[int], as_arrow: bool) -> None:
        examples.append((values, steps, as_arrow))

    collect()
    edges = [0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, 0.1, 1e22, 2.0**53 + 1] * 25
    for as_arrow in (True, False):
        await send(edges, [1000] * len(edges), as_arrow)
    for values, steps, as_arrow in examples:
        await send(values, steps, as_arrow)
