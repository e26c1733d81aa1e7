"""Bulk import over HTTP: what becomes of each line."""

import time

import pytest

from fleetplatform.wire.resources.devices import NewDevice

CSV = "text/csv"
NDJSON = "application/x-ndjson"
HEADER = "serial_number,device_type,device_type_version,hardware_revision,gateway\n"


async def load(platform, tenant, body, kind=CSV, query="", status=200):
    headers = {"Content-Type": kind, "Authorization": f"Bearer {tenant.api_key}"}
    content = body if isinstance(body, bytes) else body.encode()
    answer = await platform.request("POST", f"/v1/devices/import{query}", headers, content)
    assert answer.status == status, answer
    return answer.body


async def count(rows, tenant) -> int:
    query = "select count(*) from iot.devices where organization_id = $1"
    return await rows.fetchval(query, tenant.organization_id)


def codes(report) -> list[str | None]:
    return [one["code"] for one in report["lines"]]


MIXED = HEADER + "\r\n".join(
    [
        "a,thermometer,,,",
        "a,thermometer,,,",
        "there,thermometer,,,",
        "b,teapot,,,",
        "c,thermometer,99,,",
        "d,thermometer,,no revision,",
        '"e,thermometer,,,',
        "f,thermometer",
        f"{'x' * 201},thermometer,,,",
        ",thermometer,,,",
        "g,thermometer,,,nobody",
        "h,thermometer,,,h",
        "",
        "i,thermometer,,,b",
        "gw,gateway,,,",
        "j,thermometer,,,gw",
        "k\x00,thermometer,,,",
        "l,\x00,,,",
        '"m, the first",climate_v2,,,',
    ]
)
EXPECTED = [
    None, "serial_repeated", "serial_taken", "unknown_device_type", "unknown_device_type",
    "unknown_hardware_revision", "line_malformed", "line_malformed", "serial_invalid",
    "line_malformed", "unknown_gateway", "unknown_gateway", "unknown_gateway", None, None,
    "serial_invalid", "unknown_device_type", None,
]  # fmt: skip


async def test_bad_lines_are_named_and_good_ones_enrolled(platform, platform_rows):
    tenant = await platform.tenant(NewDevice(serial_number="there", device_type="thermometer"))
    report = await load(platform, tenant, MIXED, query="?mode=skip_bad")
    assert codes(report) == EXPECTED
    assert (report["created"], report["refused"]) == (4, 14)
    assert [one["line"] for one in report["lines"]] == [*range(2, 14), *range(15, 21)]
    assert all(one["detail"] for one in report["lines"] if one["code"])
    made = {o["serial_number"]: o for o in report["lines"] if o["status"] == "created"}
    assert set(made) == {"a", "gw", "j", "m, the first"}
    assert made["j"]["token"] is None
    assert (await platform.post(made["a"]["token"], [])).status == 200
    assert await count(platform_rows, tenant) == 5
    sensors = "select count(*) from iot.sensors where organization_id = $1"
    assert await platform_rows.fetchval(sensors, tenant.organization_id) == 1 + 1 + 1 + 3


async def test_with_all_or_none_one_bad_line_keeps_all_out(platform, platform_rows):
    tenant = await platform.tenant()
    body = HEADER + "a,thermometer,,,\nb,teapot,,,\n"
    for query in ("", "?mode=all_or_none"):
        report = await load(platform, tenant, body, query=query)
        assert codes(report) == ["not_imported", "unknown_device_type"]
        assert report["created"] == 0
    assert await count(platform_rows, tenant) == 0
    report = await load(platform, tenant, HEADER + "a,thermometer,,,\n")
    assert (report["created"], codes(report)) == (1, [None])


async def test_json_lines_say_the_same(platform):
    tenant = await platform.tenant()
    lines = [
        b'{"serial_number": "a", "device_type": "thermometer"}',
        b'{"serial_number": "a", "device_type": "thermometer"}',
        b'{"serial_number": 1, "device_type": "thermometer"}',
        b'{"serial_number": "b", "device_type": "thermometer", "colour": "red"}',
        b'{"serial_number": "c"',
        b"",
        b"\xff\xfe",
        b'{"serial_number": "d\\u0000", "device_type": "thermometer"}',
        b'{"serial_number": "e", "device_type": "thermometer", "gateway": "\\u0000"}',
    ]
    report = await load(platform, tenant, b"\n".join(lines), NDJSON, "?mode=skip_bad")
    malformed = "line_malformed"
    assert codes(report) == [
        None, "serial_repeated", malformed, malformed, malformed, malformed, "serial_invalid",
        "unknown_gateway",
    ]  # fmt: skip


async def test_imported_devices_can_wait_for_their_first_contact(platform):
    tenant = await platform.tenant()
    report = await load(
        platform, tenant, HEADER + "a,thermometer,,,\n", query="?status=provisioning"
    )
    (line,) = report["lines"]
    assert line["token"] is None
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    path = f"/v1/devices/{line['device_id']}"
    shown = await platform.request("GET", path, headers, b"")
    assert shown.body["device_status"] == "provisioning"


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        (CSV, "serial_number,colour\n", 422, "import_header"),
        (CSV, "serial_number\na\n", 422, "import_header"),
        (CSV, "", 422, "import_header"),
        (CSV, "serial_number,device_type,device_type\n", 422, "import_header"),
        (CSV, b"\xff\xfe\n", 422, "import_header"),
        ("application/json", "[]", 415, "unsupported_media"),
        (NDJSON, "{}\n" * 50_001, 413, "import_too_long"),
    ],
)
async def test_a_file_that_is_none_is_refused(platform, kind, body, status, code):
    tenant = await platform.tenant()
    assert (await load(platform, tenant, body, kind, status=status))["code"] == code


@pytest.mark.parametrize("query", ["?mode=some", "?status=suspended"])
async def test_a_parameter_that_is_none_is_refused(platform, query):
    tenant = await platform.tenant()
    assert (await load(platform, tenant, HEADER, query=query, status=422))["code"] == "invalid"


async def test_an_empty_file_is_an_empty_report(platform):
    tenant = await platform.tenant()
    for kind, body in ((CSV, HEADER), (NDJSON, "")):
        assert await load(platform, tenant, body, kind) == {
            "created": 0, "refused": 0, "lines": [],
        }  # fmt: skip


@pytest.mark.campaign
async def test_ten_thousand_lines_are_one_request(platform, platform_rows):
    tenant = await platform.tenant()
    body = HEADER + "".join(f"d{n},climate_v2,,,\n" for n in range(10_000))
    start_s = time.monotonic()
    report = await load(platform, tenant, body)
    print(f"10,000 lines in {time.monotonic() - start_s:.2f} s")
    assert report["created"] == 10_000
    assert len({one["token"] for one in report["lines"]}) == 10_000
    assert await count(platform_rows, tenant) == 10_000
