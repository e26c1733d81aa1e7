"""Processing rules over HTTP: saved, refused, changed while readings come, asked for."""

import uuid

import msgspec
import pytest

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice

SECOND_US = 1_000_000


@pytest.fixture
async def api(platform):
    tenant = await platform.tenant(
        NewDevice(serial_number="c", device_type="climate_v2"),
        NewDevice(serial_number="p", device_type="power_meter"),
        NewDevice(serial_number="t", device_type="thermometer"),
    )
    return Api(platform, tenant)


class Api:
    """Requests as one organization."""

    def __init__(self, service, tenant):
        self.service = service
        self.tenant = tenant
        self.now_us = wall_now_us()

    async def ask(self, method, path, body=None, **headers):
        sent = {"Authorization": f"Bearer {self.tenant.api_key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        content = b"" if body is None else msgspec.json.encode(body)
        if body is not None:
            sent["Content-Type"] = "application/json"
        return await self.service.request(method, path, sent, content)

    async def save(self, name, kind, settings, *inputs, **more):
        body = {"name": name, "kind": kind, "settings": settings} | more
        if inputs:
            body["inputs"] = list(inputs)
        return await self.ask("POST", "/v1/processing-rules", body)

    async def send(self, serial, *readings):
        """(sensor, second, value) from now on."""
        body = [
            {"sensor": sensor, "t": self.now_us + round(second * SECOND_US), "v": value}
            for sensor, second, value in readings
        ]
        answer = await self.service.post(self.tenant.token(serial), body)
        assert answer.body["accepted"] == len(readings), answer

    async def processed(self, serial, position=0, **more):
        query = "".join(f"&{name}={value}" for name, value in more.items())
        sensor = self.tenant.sensor(serial, position)
        hour_us = 3600 * SECOND_US
        span = f"since_us={self.now_us - hour_us}&until_us={self.now_us + hour_us}"
        answer = await self.ask("GET", f"/v1/sensors/{sensor}/processed?{span}{query}")
        assert answer.status == 200, answer
        return answer.body

    async def values(self, serial, position=0):
        body = await self.processed(serial, position)
        return [(one["t_us"] - self.now_us, one["value"], one["flag"]) for one in body["values"]]


async def test_a_dew_point_in_fahrenheit(api, eventually):
    """A chain of two rules, over HTTP from end to end."""
    dew = await api.save(
        "dew point", "derived", {"formula": "dew_point"},
        {"sensor_type": "temperature"}, {"sensor_type": "humidity"}, output_name="dew_point",
    )  # fmt: skip
    assert dew.status == 201, dew
    assert dew.body["output_units"] == ["degC"]
    source = {"processing_rule_id": dew.body["processing_rule_id"]}
    fahrenheit = await api.save("in °F", "convert", {"unit": "degF"}, source)
    assert fahrenheit.body["output_units"] == ["degF"]
    assert fahrenheit.body["inputs"] == [source]

    async def is_made() -> bool:
        """Rules reach ingest by notification, a moment after the answer."""
        api.now_us += 1_000
        await api.send("c", ("humidity", 0, 50.0), ("temperature", 0, 20.0))
        return len(await api.values("c")) >= 2

    await eventually(is_made)
    body = await api.processed("c")
    by_rule = {one["processing_rule_id"]: one["value"] for one in body["values"]}
    celsius = by_rule[dew.body["processing_rule_id"]]
    assert celsius == pytest.approx(9.26, abs=0.01)
    assert by_rule[fahrenheit.body["processing_rule_id"]] == pytest.approx(celsius * 1.8 + 32)
    assert await api.values("c", 1) == []


async def test_changes_are_obeyed_without_a_restart(api, eventually):
    saved = await api.save("x", "scale", {"multiplier": 1.0}, {"sensor": "temperature"})
    path = f"/v1/processing-rules/{saved.body['processing_rule_id']}"
    second = 0

    async def gives(expected):
        nonlocal second
        second += 1
        await api.send("t", ("temperature", second / 1000, 10.0))
        found = await api.values("t")
        newest = [value for t, value, _ in found if t == second * 1000]
        return newest == expected

    for multiplier in (2.0, 3.0):
        changed = await api.ask("PATCH", path, {"settings": {"multiplier": multiplier}})
        assert changed.status == 200, changed
        await eventually(lambda by=multiplier: gives([10.0 * by]))
    assert (await api.ask("PATCH", path, {"is_active": False})).status == 200
    await eventually(lambda: gives([]))
    assert (await api.ask("PATCH", path, {"is_active": True})).status == 200
    await eventually(lambda: gives([30.0]))
    assert (await api.ask("DELETE", path)).status == 204
    await eventually(lambda: gives([]))
    assert (await api.ask("GET", path)).status == 404
    assert (await api.ask("DELETE", path)).status == 404
    assert (await api.save("x", "scale", {})).status == 201


async def test_a_division_by_zero_is_a_flag_beside_good_neighbours(api, eventually):
    saved = await api.save(
        "ratio", "derived", {"formula": "ratio"}, {"sensor": "power"}, {"sensor": "voltage"}
    )
    assert saved.body["output_units"] == ["W/V"]
    second = 0

    async def is_made():
        nonlocal second
        second += 1
        zero, good = second / 100, second / 100 + 0.005
        await api.send(
            "p", ("power", zero, 5.0), ("voltage", zero, 0.0),
            ("power", good, 5.0), ("voltage", good, 2.0),
        )  # fmt: skip
        return await api.values("p", 1)

    await eventually(is_made)
    found = await api.values("p", 1)
    assert [one[1:] for one in found[-2:]] == [(None, 1), (2.5, 0)]
    page = (await api.service.request("GET", "/metrics", {}, b"")).body.decode()
    (undefined,) = [x for x in page.splitlines() if x.startswith("fleetstorm_values_undefined_t")]
    assert float(undefined.split()[1]) >= 1


REFUSED = [
    ({"kind": "alchemy"}, 422, "invalid_processing_rule"),
    ({"kind": "window", "settings": {"function": "mean"}}, 422, "invalid_processing_rule"),
    ({"kind": "window", "settings": {"function": "mean", "window_s": 1e6}}, 422,
     "invalid_processing_rule"),
    ({"settings": {"multiplier": 2, "offest": 1}}, 422, "invalid_processing_rule"),
    ({"inputs": [{}, {}]}, 422, "invalid_processing_rule"),
    ({"kind": "convert", "settings": {"unit": "quux"}}, 422, "invalid_processing_rule"),
    ({"kind": "convert", "settings": {"unit": "bar"}, "inputs": [{"sensor": "temperature"}]}, 422,
     "unit_mismatch"),
    ({"kind": "convert", "settings": {"unit": "degF"}}, 422, "unit_mismatch"),
    ({"kind": "convert", "settings": {"unit": "bar"}, "inputs": [{"sensor_type": "flow"}],
      "device_type": "water_heater"}, 422, "unknown_input"),
    ({"kind": "convert", "settings": {"unit": "bar"}, "inputs": [{"sensor_type": "humidity"}],
      "device_type": "climate_v2"}, 422, "unit_mismatch"),
    ({"inputs": [{"sensor_type": "telepathy"}]}, 422, "unknown_input"),
    ({"inputs": [{"sensor_id": str(uuid.uuid4())}]}, 422, "unknown_input"),
    ({"inputs": [{"processing_rule_id": str(uuid.uuid4())}]}, 422, "unknown_input"),
    ({"device_type": "toaster"}, 422, "unknown_input"),
    ({"inputs": []}, 422, "invalid"),
    ({"inputs": [{"sensor": "a\0b"}]}, 422, "invalid"),
    ({"name": "a\0b"}, 422, "invalid"),
    ({"colour": "red"}, 422, "invalid"),
]  # fmt: skip


async def test_what_cannot_be_is_refused_when_saved(api):
    for changes, status, code in REFUSED:
        body = {"name": "r", "kind": "scale", "settings": {}} | changes
        answer = await api.ask("POST", "/v1/processing-rules", body)
        assert (answer.status, answer.body["code"]) == (status, code), (changes, answer)
        assert len(answer.body["detail"]) > 10
    assert (await api.ask("GET", "/v1/processing-rules")).body["processing_rules"] == []


async def test_chains_stay_without_cycles_and_whole(api):
    first = (await api.save("a", "scale", {}, {"sensor": "temperature"})).body
    a = first["processing_rule_id"]
    second = (await api.save("b", "convert", {"unit": "degF"}, {"processing_rule_id": a})).body
    b = second["processing_rule_id"]
    cycle = {"inputs": [{"processing_rule_id": b}]}
    for path, body, status, code in (
        (a, cycle, 422, "rule_cycle"),
        (b, cycle, 422, "rule_cycle"),
        (a, {"settings": {"unit": "bar"}}, 422, "unit_mismatch"),
        (a, {"name": "b"}, 409, "name_taken"),
    ):
        answer = await api.ask("PATCH", f"/v1/processing-rules/{path}", body)
        assert (answer.status, answer.body["code"]) == (status, code), body
    answer = await api.ask("DELETE", f"/v1/processing-rules/{a}")
    assert (answer.status, answer.body["code"]) == (409, "rule_in_use")
    shown = await api.ask("GET", f"/v1/processing-rules/{a}")
    assert shown.body == first
    stale = await api.ask("PATCH", f"/v1/processing-rules/{a}", {"name": "c"}, If_Match='"1"')
    assert (stale.status, stale.body["code"]) == (412, "stale")
    tag = shown.headers["etag"]
    done = await api.ask("PATCH", f"/v1/processing-rules/{a}", {"name": "c"}, If_Match=tag)
    assert (done.status, done.body["name"]) == (200, "c")
    changed = await api.ask("PATCH", f"/v1/processing-rules/{a}", {"settings": {"unit": "K"}})
    assert changed.body["output_units"] == ["K"]
    log = await api.ask("GET", "/v1/audit?subject_id=" + a)
    assert [one["action"] for one in log.body["entries"]][-1:] == ["created"], log.body


async def test_units_are_known_before_there_are_devices(platform):
    api = Api(platform, await platform.tenant())
    first = await api.save(
        "t", "clamp", {"min": 0}, {"sensor_type": "temperature"}, device_type="climate_v2"
    )
    assert first.body["output_units"] == ["°C"]
    dew = await api.save(
        "d", "derived", {"formula": "dew_point"}, {"sensor": "a"}, {"sensor": "b"}
    )
    assert dew.body["output_units"] == ["degC"]
    source = {"processing_rule_id": dew.body["processing_rule_id"]}
    assert (await api.save("r", "rate_of_change", {}, source)).status == 201
    answer = await api.save("x", "convert", {"unit": "bar"}, source)
    assert (answer.status, answer.body["code"]) == (422, "unit_mismatch")


async def test_a_sensitive_sensor_gives_nothing(platform, specification):
    kind = specification("thermometer")
    sensors = {"t": msgspec.structs.replace(kind.sensors["temperature"], sensitive=True)}
    name = f"secret {uuid.uuid4().hex[:8]}"
    async with platform.operator() as operator:
        await operator.put_device_type(msgspec.structs.replace(kind, name=name, sensors=sensors))
    api = Api(platform, await platform.tenant(NewDevice(serial_number="s", device_type=name)))
    sensor = api.tenant.sensor("s")
    answer = await api.save("r", "scale", {}, {"sensor_id": str(sensor)})
    assert answer.body["code"] == "unknown_input"
    query = f"since_us=0&until_us={SECOND_US}"
    answer = await api.ask("GET", f"/v1/sensors/{sensor}/processed?{query}")
    assert (answer.status, answer.body["code"]) == (403, "sensitive_sensor")


async def test_values_come_in_pages_of_a_bounded_span(api, platform_rows):
    saved = (await api.save("r", "scale", {})).body
    sensor = api.tenant.sensor("t")
    await platform_rows.execute(
        "insert into iot.processed_data select"
        " to_timestamp(($1::bigint / 1000000) + n), n, $2, $3, $4, 0 from generate_series(1, 7) n",
        api.now_us, api.tenant.organization_id, sensor, uuid.UUID(saved["processing_rule_id"]),
    )  # fmt: skip
    found, cursor = [], ""
    while cursor is not None:
        more = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        body = await api.processed("t", **more)
        found += [one["value"] for one in body["values"]]
        cursor = body["next_cursor"]
    assert found == [1, 2, 3, 4, 5, 6, 7]
    assert (await api.processed("t", processing_rule_id=uuid.uuid4()))["values"] == []
    long = f"since_us=0&until_us={32 * 86_400 * SECOND_US}"
    answer = await api.ask("GET", f"/v1/sensors/{sensor}/processed?{long}")
    assert (answer.status, answer.body["code"]) == (422, "invalid_span")


async def test_a_rule_can_be_tried(api):
    body = {"kind": "window", "settings": {"function": "mean", "window_s": 2}, "units": ["°C"],
            "t_us": [0, SECOND_US, 2 * SECOND_US], "values": [[1, 2, 6]]}  # fmt: skip
    answer = await api.ask("POST", "/v1/processing-rules/test", body)
    assert answer.status == 200, answer
    assert answer.body["unit"] == "°C"
    assert [one["value"] for one in answer.body["values"]] == [1.0, 1.5, 4.0]
    for changes, code in (
        ({"values": [[1, 2]]}, "invalid"),
        ({"t_us": [0, 0, 1]}, "invalid"),
        ({"units": ["°C", "%"]}, "invalid_processing_rule"),
        ({"kind": "convert", "settings": {"unit": "bar"}}, "unit_mismatch"),
        ({"kind": "convert", "settings": {"unit": "r"}}, "invalid_processing_rule"),
    ):
        answer = await api.ask("POST", "/v1/processing-rules/test", body | changes)
        assert (answer.status, answer.body["code"]) == (422, code), changes
