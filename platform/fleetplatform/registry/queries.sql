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
    coalesce(string_agg(float8send(offset_value), ''), '') as offsets
from (select * from iot.sensor_calibrations where revision > :seen order by revision) as c;

-- name: changed_credentials(seen)^
-- Device tokens newer than a revision as packed columns.
select
    coalesce(max(revision), 0) as revision,
    coalesce(string_agg(token_sha256, ''), '') as digests,
    coalesce(string_agg(uuid_send(device_id), ''), '') as devices,
    coalesce(string_agg(boolsend(revoked_at is not null), ''), '') as revoked
from (select * from iot.device_credentials where revision > :seen order by revision) as c;

-- name: changed_alert_rules(seen)
-- Alert rules newer than a revision.
select
    rule_id, organization_id, name, conditions, severity, device_type, sensor_type, sensor_id,
    is_active, revision
from iot.alert_rules
where revision > :seen
order by revision, rule_id;

-- name: new_ids(count)$
-- So many new identities (UUIDv7), in order.
select array_agg(uuidv7()) from generate_series(1, :count::int);

-- name: add_organization(organization_id, parent_id, name)!
-- A new tenant.
insert into iot.organizations (organization_id, parent_id, name)
values (:organization_id, :parent_id, :name);

-- name: add_api_key(organization_id, token_sha256)!
-- A key for a tenant's programs.
insert into iot.api_keys (organization_id, token_sha256) values (:organization_id, :token_sha256);

-- name: find_api_key(sha256)$
-- The organization of an API key.
select iot.find_api_key(:sha256);

-- name: put_device_type(name, version, specification)$
-- A device type, new or changed; the same again changes nothing.
with changed as (
    insert into iot.device_types (name, version, specification)
    values (:name, :version, :specification)
    on conflict (name) do update
    set version = excluded.version, specification = excluded.specification
    where iot.device_types.version <> excluded.version
       or iot.device_types.specification <> excluded.specification
    returning device_type_id
)
select device_type_id from changed
union all
select device_type_id from iot.device_types where name = :name
limit 1;

-- name: device_types(names)
-- Device types by name.
select device_type_id, name, specification from iot.device_types where name = any (:names::text[]);

-- name: find_serials(organization_id, serials)
-- Devices of one organization by serial number.
select serial_number, device_id, device_status, last_seen_at
from iot.devices
where organization_id = :organization_id and serial_number = any (:serials::text[]);

-- name: add_devices(organization_id, device_ids, types, serials, gateways)!
-- Devices as enrolled: active from the start.
insert into iot.devices (
    organization_id, device_id, device_type_id, serial_number, device_status, gateway_id
)
select :organization_id::uuid, device_id, device_type_id, serial_number, 'active', gateway_id
from unnest(:device_ids::uuid[], :types::uuid[], :serials::text[], :gateways::uuid[])
    as d (device_id, device_type_id, serial_number, gateway_id);

-- name: add_credentials(organization_id, device_ids, digests)!
-- A token for each of some devices.
insert into iot.device_credentials (organization_id, device_id, token_sha256)
select :organization_id::uuid, device_id, token_sha256
from unnest(:device_ids::uuid[], :digests::bytea[]) as c (device_id, token_sha256);

-- name: add_sensors(organization_id, sensor_ids, device_ids, specification_at, names, positions, types, units, minima, maxima, resolutions)!
-- Sensors of some devices; `specification_at` says, from 1, which of the specifications each has.
insert into iot.sensors (
    organization_id, sensor_id, device_id, name, position, sensor_type, unit, value_min,
    value_max, resolution
)
select
    :organization_id::uuid, s.sensor_id, s.device_id, p.name, p.position, p.sensor_type, p.unit,
    p.value_min, p.value_max, p.resolution
from unnest(:sensor_ids::uuid[], :device_ids::uuid[], :specification_at::int[])
    as s (sensor_id, device_id, specification_at)
join unnest(
    :names::text[], :positions::smallint[], :types::smallint[], :units::text[],
    :minima::float8[], :maxima::float8[], :resolutions::float8[]
) with ordinality as p (
    name, position, sensor_type, unit, value_min, value_max, resolution, specification_at
) using (specification_at);

-- name: add_calibrations(organization_id, sensor_ids, multipliers, offsets, valid_from)!
-- Calibrations of some sensors; a null time means always.
insert into iot.sensor_calibrations (
    organization_id, sensor_id, multiplier, offset_value, valid_from
)
select :organization_id::uuid, sensor_id, multiplier, offset_value,
    coalesce(valid_from, '-infinity')
from unnest(
    :sensor_ids::uuid[], :multipliers::float8[], :offsets::float8[], :valid_from::timestamptz[]
) as c (sensor_id, multiplier, offset_value, valid_from);

-- name: record_contact(device_ids, seen_at)!
-- The last contact of many devices.
update iot.devices as d
set last_seen_at = c.seen_at
from unnest(:device_ids::uuid[], :seen_at::timestamptz[]) as c (device_id, seen_at)
where d.device_id = c.device_id;

-- name: find_device(organization_id, device_id)^
-- One device of an organization.
select device_id, serial_number, device_status, last_seen_at
from iot.devices
where organization_id = :organization_id and device_id = :device_id;

-- name: act_as(key_sha256, reason)!
-- Who changes something in this transaction and why, for the audit log.
select
    set_config('app.actor', 'api_key:' || api_key_id, true),
    set_config('app.reason', :reason::text, true)
from iot.api_keys
where token_sha256 = :key_sha256;

-- name: move_device(organization_id, device_id, device_status)^
-- A move in the life of a device; a trigger refuses one that is not in it and records the others.
update iot.devices
set device_status = :device_status
where organization_id = :organization_id and device_id = :device_id
returning device_id, serial_number, device_status, last_seen_at;

-- name: audit_of(organization_id, subject_id, count)
-- What was done to one thing of an organization, newest first.
select
    audit_id, subject_kind, subject_id, action, from_state, to_state, actor, reason, occurred_at,
    recorded_at
from iot.audit_log
where organization_id = :organization_id and subject_id = :subject_id
order by audit_id desc
limit :count;
