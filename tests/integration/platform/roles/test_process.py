"""A process of the platform as its user sees it: start, probes, end."""

import asyncio
import socket

import msgspec
import pytest

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice


async def ends(service) -> tuple[int, str]:
    """Start a service that cannot begin; its exit code and what it said."""
    process = await service.spawn()
    code = await asyncio.wait_for(process.wait(), 30)
    return code, service.log


def changed(service, **settings):
    """The same service with other settings of its process."""
    new = msgspec.structs.replace(service.settings, **settings)
    return type(service)(service.roles, new, service.log_path.parent)


async def test_an_unreachable_database_is_one_sentence_and_exit_5(service_of, database_url):
    service = await service_of(database_url)
    url = "postgresql://u:secret@127.0.0.1:1/x"
    nowhere = dict.fromkeys(service.settings.database_urls, url)
    code, said = await ends(changed(service, database_urls=nowhere))
    assert code == 5
    assert said.count("\n") == 1
    assert "127.0.0.1:1" in said
    assert "secret" not in said


async def test_a_wrong_password_is_one_sentence_and_exit_5(service_of, database_url):
    service = await service_of(database_url)
    wrong = {
        name: url.replace(f"{name}:", f"{name}:x", 1)
        for name, url in service.settings.database_urls.items()
    }
    code, said = await ends(changed(service, database_urls=wrong))
    assert code == 5
    assert said.count("\n") == 1
    assert "refused the login" in said


async def test_a_port_that_is_taken_is_one_sentence_and_exit_5(service_of, database_url):
    service = await service_of(database_url)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = await ends(changed(service, port=taken.getsockname()[1]))
    assert code == 5
    assert said.count("\n") == 1
    assert "taken" in said


async def test_a_second_service_does_not_share_the_port_of_the_first(platform):
    code, said = await ends(changed(platform))
    assert code == 5
    assert "taken" in said


async def test_a_database_that_was_never_prepared(service_of, database_url, postgres):
    """The roles are there, for they are the server's, but nothing else is."""
    service = await service_of(database_url)
    urls = {
        name: url.rpartition("/")[0] + "/template1"
        for name, url in service.settings.database_urls.items()
    }
    code, said = await ends(changed(service, database_urls=urls))
    assert code == 5
    assert said.count("\n") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("roles", ["ingest+cook", "ingest+ingest"])
async def test_unknown_roles_are_wrong_usage(service_of, database_url, roles):
    service = await service_of(database_url, roles=roles)
    code, said = await ends(service)
    assert code == 2
    assert "ingest, api, worker" in said


async def test_settings_that_cannot_be_read_are_wrong_usage(service_of, database_url, tmp_path):
    service = await service_of(database_url)
    service._settings_path = tmp_path / "missing.json"
    assert (await ends(service))[0] == 2
    (tmp_path / "missing.json").write_text('{"platform": 1}')
    code, said = await ends(service)
    assert code == 2
    assert "$.platform" in said


async def test_an_unknown_engine_is_one_sentence(service_of, database_url):
    service = await service_of(database_url)
    engine = msgspec.structs.replace(service.settings.platform.engine, kind="steam")
    settings = msgspec.structs.replace(service.settings.platform, engine=engine)
    code, said = await ends(changed(service, platform=settings))
    assert code == 5
    assert "steam" in said
    assert "Traceback" not in said


async def test_probes_and_metrics(platform):
    assert await platform.status("/healthz") == 200
    assert await platform.status("/readyz") == 200
    page = (await platform.request("GET", "/metrics", {}, b"")).body.decode()
    for name in (
        "fleetstorm_readings_stored_total", "fleetstorm_readings_duplicate_total",
        "fleetstorm_readings_conflict_total", "fleetstorm_alerts_raised_total",
        "fleetstorm_alerts_cleared_total", "fleetstorm_queue_readings",
        "fleetstorm_batch_seconds_bucket", "process_cpu_seconds_total",
    ):  # fmt: skip
        assert f"\n{name}" in page
    assert "_created" not in page


async def test_metrics_count_what_happened(start_service):
    service = await start_service()
    tenant = await service.tenant(NewDevice(serial_number="t1", device_type="thermometer"))
    now = wall_now_us()
    one = {"sensor": "temperature", "t": now, "v": 1}
    body = [one, one, one | {"v": 2}, one | {"sensor": "x"}, one | {"t": now + 1}]
    await service.post(tenant.token("t1"), body)
    page = (await service.request("GET", "/metrics", {}, b"")).body.decode().split("\n")
    assert "fleetstorm_readings_stored_total 2.0" in page
    assert "fleetstorm_readings_duplicate_total 2.0" in page
    assert "fleetstorm_readings_conflict_total 1.0" in page
    assert 'fleetstorm_readings_rejected_total{code="unknown_sensor"} 1.0' in page
    assert "fleetstorm_queue_readings 0.0" in page


async def test_roles_may_be_processes_of_their_own(service_of, database_url, specification):
    api = await (await service_of(database_url, roles="api")).start()
    ingest = await (await service_of(database_url, roles="ingest")).start()
    worker = await (await service_of(database_url, roles="worker")).start()
    async with api.operator() as operator:
        await operator.put_device_type(specification("thermometer"))
    tenant = await api.tenant(NewDevice(serial_number="t1", device_type="thermometer"))
    body = [{"sensor": "temperature", "t": wall_now_us(), "v": 1}]
    answer = await ingest.post(tenant.token("t1"), body)
    assert (answer.status, answer.body["accepted"]) == (200, 1)
    assert (await api.post(tenant.token("t1"), body)).status == 404
    assert await ingest.status("/v1/clock") == 404
    assert [await one.terminate() for one in (api, ingest, worker)] == [0, 0, 0]


async def test_the_last_contact_is_written_in_bulk(start_service, owner_of):
    service = await start_service()
    tenant = await service.tenant(
        NewDevice(serial_number="g", device_type="gateway"),
        NewDevice(serial_number="a", device_type="thermometer", gateway="g"),
        NewDevice(serial_number="b", device_type="thermometer", gateway="g"),
    )
    now = wall_now_us()
    body = [{"sensor": str(tenant.sensor("a")), "t": now, "v": 1}]
    await service.post(tenant.token("g"), body)
    conn = await owner_of(service)
    revision = await conn.fetchval("select max(revision) from iot.devices")
    assert await service.terminate() == 0
    rows = await conn.fetch(
        "select serial_number as s, last_seen_at as t from iot.devices"
        " left join iot.device_contacts using (device_id)"
    )
    seen = {row["s"]: row["t"] for row in rows}
    assert abs(seen["a"].timestamp() - now / 1e6) < 60
    assert seen["g"] == seen["a"]
    assert seen["b"] is None
    assert await conn.fetchval("select max(revision) from iot.devices") == revision
