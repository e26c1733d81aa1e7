"""A table is written by one room only; any room may read it."""

import re
from collections import defaultdict
from pathlib import Path

import fleetplatform

PACKAGE = Path(fleetplatform.__file__).parent
WRITES = re.compile(
    r"\b(?:insert\s+into|update|delete\s+from|merge\s+into|truncate|copy)\s+"
    r"((?:iot|iot_private)\.\w+)",
    re.IGNORECASE,
)
COMMENT = re.compile(r"--.*")


def _written(text: str) -> set[str]:
    return set(WRITES.findall(COMMENT.sub("", text)))


def _writers() -> dict[str, set[str]]:
    """Table → the rooms whose .sql files write it; migrations make tables, they own none."""
    writers: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.sql"):
        room, *below = path.relative_to(PACKAGE).parts
        if below[0] == "migrations":
            continue
        for table in _written(path.read_text()):
            writers[table].add(room)
    return writers


def test_a_table_is_written_by_one_room_only() -> None:
    shared = {table: sorted(rooms) for table, rooms in _writers().items() if len(rooms) > 1}
    assert shared == {}


def test_the_rooms_write_what_they_own() -> None:
    found = {table: min(rooms) for table, rooms in _writers().items()}
    expected = {
        "iot.alert_events": "alerting",
        "iot.alert_rules": "alerting",
        "iot.alerts": "alerting",
        "iot.api_keys": "registry",
        "iot.audit_log": "registry",
        "iot.certificate_authorities": "registry",
        "iot.archive_manifests": "timeseries",
        "iot.data_retention_policies": "timeseries",
        "iot.expired_readings": "timeseries",
        "iot.retention_surveys": "timeseries",
        "iot.retired_partitions": "timeseries",
        "iot.claim_tokens": "registry",
        "iot.data_processing_rules": "ingest",
        "iot.detector_checkpoints": "ingest",
        "iot.device_certificates": "registry",
        "iot.device_configuration_versions": "control",
        "iot.device_credentials": "registry",
        "iot.device_group_shares": "registry",
        "iot.device_group_members": "registry",
        "iot.device_groups": "registry",
        "iot.device_type_versions": "registry",
        "iot.device_types": "registry",
        "iot.devices": "registry",
        "iot.device_contacts": "registry",
        "iot.organization_days": "timeseries",
        "iot.organization_quotas": "registry",
        "iot.organization_rates": "registry",
        "iot.key_rotations": "timeseries",
        "iot.device_locations": "registry",
        "iot.device_places": "registry",
        "iot.geofence_events": "registry",
        "iot.geofence_presences": "registry",
        "iot.geofences": "registry",
        "iot.organizations": "registry",
        "iot.platform_clock": "database",
        "iot.rollup_choice": "timeseries",
        "iot.rollup_floors": "timeseries",
        "iot.rollup_hours": "timeseries",
        "iot.rollup_progress": "timeseries",
        "iot.processed_data": "ingest",
        "iot.maintenance_records": "registry",
        "iot.reprocessing_jobs": "registry",
        "iot.sensor_calibrations": "registry",
        "iot.sensor_hourly_aggregates": "timeseries",
        "iot.seasonal_hours": "ingest",
        "iot.seasonal_profiles": "ingest",
        "iot.sensor_hourly_sums": "ingest",
        "iot.sensors": "registry",
        "iot.storage_layout": "timeseries",
        "iot.user_group_members": "registry",
        "iot.user_groups": "registry",
        "iot.users": "registry",
        "iot_private.function_files": "database",
    }
    assert expected.items() <= found.items()
    assert found.get("iot.sensor_data", "timeseries") == "timeseries"


def test_a_write_is_recognised() -> None:
    text = """
    -- update iot.not_this
    insert into iot.one (a) values (1) on conflict (a) do update set b = 1;
    UPDATE iot.two set a = 1; delete
        from iot.three;
    select * from iot.four for update;
    """
    assert _written(text) == {"iot.one", "iot.two", "iot.three"}
