"""The management API as its client sees it, and what it refuses."""

import asyncio
import uuid

import msgspec
import pytest

from fleetplatform.client import ApiError, Client
from fleetplatform.wire.clock import REAL_TIME, ClockLaw, wall_now_us
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice, NewDevices

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")


def client_of(platform, tenant) -> Client:
    return Client(platform.url, tenant.api_key)


async def refused(call) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await call
    return caught.value


async def test_only_the_operator_keeps_the_catalogue_and_the_clock(platform, specification):
    tenant = await platform.tenant()
    client = client_of(platform, tenant)
    for call in (
        client.put_device_type(specification("thermometer")),
        client.set_clock(REAL_TIME),
    ):
        error = await refused(call)
        assert (error.status, error.code) == (403, "forbidden")
    stranger = Client(platform.url, "no-such-token")
    error = await refused(stranger.create_organization("mine"))
    assert (error.status, error.code) == (401, "unauthorized")


async def test_the_operators_token_alone_is_no_tenants_key(platform):
    operator = platform.operator()
    error = await refused(operator.enrol(NewDevices(devices=())))
    assert (error.status, error.code) == (403, "organization_unsaid")
    error = await refused(Client(platform.url, "no-such-token").alerts())
    assert (error.status, error.code) == (401, "unauthorized")


async def test_a_device_token_opens_nothing_here(platform):
    tenant = await platform.tenant(THERMOMETER)
    error = await refused(Client(platform.url, tenant.token("t1")).alerts())
    assert error.status == 401


async def test_a_device_type_keeps_the_order_of_its_sensors(platform, platform_rows, specification):
    tenant = await platform.tenant(NewDevice(serial_number="c", device_type="climate_v2"))
    names = await platform_rows.fetch(
        "select name from iot.sensors where sensor_id = any ($1) order by position",
        tenant.devices["c"].sensor_ids,
    )
    assert [row["name"] for row in names] == list(specification("climate_v2").sensors)
    by_id = await platform_rows.fetch(
        "select name from unnest($1::uuid[]) with ordinality as i (sensor_id, n)"
        " join iot.sensors using (sensor_id) order by n",
        tenant.devices["c"].sensor_ids,
    )
    assert [row["name"] for row in by_id] == list(specification("climate_v2").sensors)


async def test_the_same_device_type_again_changes_nothing(platform, specification):
    operator = platform.operator()
    first = await operator.put_device_type(specification("thermometer"))
    again = await operator.put_device_type(specification("thermometer"))
    assert first == again


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"type": "smell"}, "sensors.temperature.type"),
        ({"min": 100.0}, "above max"),
        ({"resolution": -1.0}, "resolution"),
        ({"unit": "x" * 50}, "unit"),
    ],
)
async def test_an_impossible_device_type(platform, specification, change, says):
    good = specification("thermometer")
    sensor = msgspec.structs.replace(good.sensors["temperature"], **change)
    bad = msgspec.structs.replace(good, name="bad", sensors={"temperature": sensor})
    error = await refused(platform.operator().put_device_type(bad))
    assert (error.status, error.code) == (422, "invalid")
    assert says in str(error)


@pytest.mark.parametrize(
    ("device", "status", "says"),
    [
        (NewDevice(serial_number="x", device_type="teapot"), 422, "teapot"),
        (NewDevice(serial_number="x", device_type="thermometer", gateway="g9"), 422, "g9"),
        (NewDevice(serial_number="x", device_type="thermometer", gateway="x"), 422, "own gateway"),
        (NewDevice(serial_number="t1", device_type="thermometer"), 409, "t1"),
        (NewDevice(serial_number="ok", device_type="thermometer"), 409, "more than once"),
        (NewDevice(serial_number="", device_type="thermometer"), 422, "serial number"),
        (NewDevice(serial_number="a\0b", device_type="thermometer"), 422, "serial number"),
        (
            NewDevice(
                serial_number="x",
                device_type="thermometer",
                calibrations=(NewCalibration(sensor="wind", multiplier=1, offset=0),),
            ),
            422,
            "wind",
        ),
        (
            NewDevice(
                serial_number="x",
                device_type="thermometer",
                calibrations=(NewCalibration(sensor="temperature", multiplier=0, offset=0),),
            ),
            422,
            "multiplier",
        ),
    ],
)
async def test_enrolment_is_all_or_none(platform, platform_rows, device, status, says):
    tenant = await platform.tenant(THERMOMETER)
    good = NewDevice(serial_number="ok", device_type="thermometer")
    async with client_of(platform, tenant) as client:
        error = await refused(client.enrol(NewDevices(devices=(good, device))))
    assert error.status == status
    assert says in str(error)
    count = await platform_rows.fetchval(
        "select count(*) from iot.devices where organization_id = $1", tenant.organization_id
    )
    assert count == 1


async def test_two_enrolments_of_one_serial_number_at_once(platform, platform_rows):
    tenant = await platform.tenant()
    async with client_of(platform, tenant) as client:
        outcomes = await asyncio.gather(
            *(client.enrol(NewDevices(devices=(THERMOMETER,))) for _ in range(5)),
            return_exceptions=True,
        )
    refusals = [one for one in outcomes if isinstance(one, ApiError)]
    assert [one.status for one in refusals] == [409] * 4
    assert len(outcomes) == 5


async def test_tokens_are_kept_as_digests_only(platform, platform_rows):
    tenant = await platform.tenant(THERMOMETER)
    rows = await platform_rows.fetch("select c::text as row from iot.device_credentials as c")
    keys = await platform_rows.fetch("select k::text as row from iot.api_keys as k")
    text = " ".join(row["row"] for row in (*rows, *keys))
    assert tenant.token("t1") not in text
    assert tenant.api_key not in text


async def test_alert_rules(platform):
    tenant = await platform.tenant(THERMOMETER)
    async with client_of(platform, tenant) as client:
        rule = await client.create_alert_rule(
            NewAlertRule(name="hot", conditions={"threshold_high": 30}, sensor_type="temperature")
        )
        assert rule.conditions == {"threshold_high": 30.0}
        assert rule.sensor_type == "temperature"
        again = NewAlertRule(name="hot", conditions={"threshold_high": 31})
        assert (await refused(client.create_alert_rule(again))).status == 409


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"conditions": {}}, "at least one condition"),
        ({"conditions": {"smells": 1}}, "smells"),
        ({"conditions": {"threshold_high": "warm"}}, "finite number"),
        ({"conditions": {"threshold_high": 10**400}}, "finite number"),
        ({"severity": "fatal"}, "severity"),
        ({"sensor_type": "smell"}, "sensor_type"),
        ({"device_type": "teapot"}, "teapot"),
        ({"sensor_id": uuid.uuid4()}, "no sensor"),
        ({"name": ""}, "name"),
    ],
)
async def test_an_impossible_rule(platform, change, says):
    tenant = await platform.tenant()
    good = NewAlertRule(name="hot", conditions={"threshold_high": 30.0})
    async with client_of(platform, tenant) as client:
        error = await refused(client.create_alert_rule(msgspec.structs.replace(good, **change)))
    assert (error.status, error.code) == (422, "invalid")
    assert says in str(error)


async def test_organizations_do_not_see_one_another(platform):
    mine = await platform.tenant(THERMOMETER, NewDevice(serial_number="g", device_type="gateway"))
    other = await platform.tenant()
    async with client_of(platform, other) as client:
        assert await client.find_device("t1") is None
        assert (await client.alerts()).alerts == ()
        stolen = NewDevice(serial_number="x", device_type="thermometer", gateway="g")
        assert (await refused(client.enrol(NewDevices(devices=(stolen,))))).status == 422
        rule = NewAlertRule(
            name="theirs", conditions={"threshold_high": 1.0}, sensor_id=mine.sensor("t1")
        )
        error = await refused(client.create_alert_rule(rule))
        unknown = msgspec.structs.replace(rule, sensor_id=uuid.uuid4())
        same = await refused(client.create_alert_rule(unknown))
        assert str(error).replace(str(rule.sensor_id), "") == str(same).replace(
            str(unknown.sensor_id), ""
        )
        await client.enrol(NewDevices(devices=(THERMOMETER,)))
    async with client_of(platform, mine) as client:
        found = await client.find_device("t1")
    assert found is not None
    assert found.device_id == mine.devices["t1"].device_id


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/alert-rules", b"{", 422),
        ("POST", "/v1/alert-rules", b'{"name": "x"}', 422),
        ("POST", "/v1/alert-rules", b'{"name":"x","conditions":{"threshold_high":1},"y":1}', 422),
        ("GET", "/v1/alerts?limit=0", b"", 422),
        ("GET", "/v1/alerts?status=lost", b"", 422),
        ("GET", "/v1/devices?online=maybe", b"", 422),
        ("GET", "/v1/nothing", b"", 404),
        ("DELETE", "/v1/alerts", b"", 405),
        ("GET", "/", b"", 404),
    ],
)
async def test_every_refusal_is_a_problem_document(platform, method, path, body, status):
    tenant = await platform.tenant()
    headers = {"Authorization": f"Bearer {tenant.api_key}", "Content-Type": "application/json"}
    answer = await platform.request(method, path, headers, body)
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"code", "title", "status", "detail"} <= answer.body.keys()


async def test_the_clock(start_service, database_url):
    service = await start_service()
    async with service.operator() as operator:
        assert (await operator.clock()).law == REAL_TIME
        law = ClockLaw(1_780_000_000_000_000, wall_now_us(), 10.0)
        await operator.set_clock(law)
        found = await operator.clock()
        assert (found.law, found.controllable) == (law, True)
        for bad in (
            msgspec.structs.replace(law, speed=-1.0),
            msgspec.structs.replace(law, virtual_anchor_us=-1),
            msgspec.structs.replace(law, virtual_anchor_us=10**18),
        ):
            assert (await refused(operator.set_clock(bad))).status == 422
    tenant = await service.tenant(THERMOMETER)
    real, virtual = wall_now_us(), 1_780_000_000_000_000
    body = [{"sensor": "temperature", "t": t, "v": 1} for t in (real, virtual)]
    answer = await service.post(tenant.token("t1"), body)
    assert [one["index"] for one in answer.body["rejected"]] == [0]
