-- name: latest_revision()$
-- The newest revision given out; a registry seen up to it has nothing new.
select case when is_called then last_value else 0 end from iot.registry_revision;

-- name: changed_device_types(seen)
-- Device types newer than a revision.
select device_type_id, name, revision
from iot.device_types
where revision > :seen
order by revision, device_type_id;

-- name: changed_devices(seen)^
-- Devices newer than a revision as packed columns, in order of id.
select
    coalesce(max(revision), 0) as revision,
    coalesce(string_agg(uuid_send(device_id), ''), '') as ids,
    coalesce(string_agg(uuid_send(organization_id), ''), '') as organizations,
    coalesce(string_agg(uuid_send(device_type_id), ''), '') as types,
    coalesce(
        string_agg(uuid_send(coalesce(gateway_id, '00000000-0000-0000-0000-000000000000')), ''), ''
    ) as gateways,
    coalesce(string_agg(boolsend(device_status in ('active', 'maintenance')), ''), '') as active
from (select * from iot.devices where revision > :seen order by device_id) as d;

-- name: changed_sensors(seen)^
-- Sensors newer than a revision as packed columns, those of a device side by side.
select
    coalesce(max(revision), 0) as revision,
    coalesce(string_agg(uuid_send(sensor_id), ''), '') as ids,
    coalesce(string_agg(uuid_send(device_id), ''), '') as devices,
    coalesce(string_agg(int2send(sensor_type), ''), '') as types,
    coalesce(string_agg(float8send(value_min), ''), '') as minima,
    coalesce(string_agg(float8send(value_max), ''), '') as maxima,
    coalesce(string_agg(boolsend(sensor_status = 'active'), ''), '') as active,
    coalesce(string_agg(boolsend(sensitive), ''), '') as sensitive,
    coalesce(array_agg(name), '{}') as names
from (
    select * from iot.sensors where revision > :seen order by device_id, position, sensor_id
) as s;

-- name: changed_calibrations(seen)^
-- Calibrations newer than a revision as packed columns.
select
    coalesce(max(revision), 0) as revision,
    coalesce(string_agg(uuid_send(sensor_id), ''), '') as sensors,
    coalesce(string_agg(timestamptz_send(valid_from), ''), '') as valid_from,
    coalesce(string_agg(float8send(multiplier), ''), '') as multipliers,
    coalesce(string_agg(float8send(offset_value), ''), '') as offsets,
    coalesce(string_agg(timestamptz_send(coalesce(due_at, 'infinity')), ''), '') as due,
    coalesce(
        string_agg(
            float8send(coalesce(higher_factors[1], 0)) || float8send(coalesce(higher_factors[2], 0))
            || float8send(coalesce(higher_factors[3], 0))
            || float8send(coalesce(higher_factors[4], 0)),
            ''
        ), ''
    ) as higher
from (select * from iot.sensor_calibrations where revision > :seen order by revision) as c;

-- name: changed_credentials(seen)^
-- Device tokens newer than a revision as packed columns.
select
    coalesce(max(revision), 0) as revision,
    coalesce(string_agg(token_sha256, ''), '') as digests,
    coalesce(string_agg(uuid_send(device_id), ''), '') as devices,
    coalesce(
        string_agg(timestamptz_send(coalesce(revoked_at, 'infinity')), ''), ''
    ) as good_until
from (select * from iot.device_credentials where revision > :seen order by revision) as c;

-- name: changed_quotas(seen)
-- Limits of readings newer than a revision.
select organization_id, readings_per_s, storage_days, revision
from iot.organization_quotas
where revision > :seen
order by revision, organization_id;

-- name: changed_alert_rules(seen)
-- Alert rules newer than a revision.
select
    rule_id, organization_id, name, conditions, severity, device_type, sensor_type, sensor_id,
    is_active, revision
from iot.alert_rules
where revision > :seen
order by revision, rule_id;
