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

-- name: add_device_type(name, version)!
-- A device type, if it is new; either way no other change of the registry comes between.
insert into iot.device_types (name, version) values (:name, :version)
on conflict (name) do nothing;

-- name: add_device_type_version(name, version, specification)!
-- A version of a device type, from now on the one that devices get.
with device_type as (
    update iot.device_types set version = :version where name = :name returning device_type_id
)
insert into iot.device_type_versions (device_type_id, version, specification)
select device_type_id, :version, :specification from device_type;

-- name: list_device_types()
-- Every device type as it was put last, with its versions in the order in which they were put.
select t.device_type_id, v.specification, (
    select array_agg(o.version order by o.created_at)
    from iot.device_type_versions as o
    where o.device_type_id = t.device_type_id
) as versions
from iot.device_types as t
join iot.device_type_versions as v using (device_type_id, version)
order by t.name;

-- name: read_device_type(name, version)^
-- One version of a device type; null: the one that was put last.
select t.device_type_id, v.specification, (
    select array_agg(o.version order by o.created_at)
    from iot.device_type_versions as o
    where o.device_type_id = t.device_type_id
) as versions
from iot.device_types as t
join iot.device_type_versions as v on v.device_type_id = t.device_type_id
where t.name = :name and v.version = coalesce(:version::text, t.version);

-- name: find_device_types(names, versions)
-- Versions of device types by name; a null version is the one that was put last.
select t.device_type_id, t.name, w.version as wanted, v.specification
from unnest(:names::text[], :versions::text[]) as w (name, version)
join iot.device_types as t on t.name = w.name
join iot.device_type_versions as v
    on v.device_type_id = t.device_type_id and v.version = coalesce(w.version, t.version);

-- name: find_serials(organization_id, serials)
-- Devices of one organization by serial number.
select
    d.serial_number, d.device_id, d.device_status, d.last_seen_at, t.name as device_type,
    d.device_type_version, d.hardware_revision
from iot.devices as d
join iot.device_types as t using (device_type_id)
where d.organization_id = :organization_id and d.serial_number = any (:serials::text[]);

-- name: add_devices(organization_id, device_ids, types, versions, revisions, serials, gateways)!
-- Devices as enrolled: active from the start.
insert into iot.devices (
    organization_id, device_id, device_type_id, device_type_version, hardware_revision,
    serial_number, device_status, gateway_id
)
select
    :organization_id::uuid, device_id, device_type_id, device_type_version, hardware_revision,
    serial_number, 'active', gateway_id
from unnest(
    :device_ids::uuid[], :types::uuid[], :versions::text[], :revisions::text[], :serials::text[],
    :gateways::uuid[]
) as d (
    device_id, device_type_id, device_type_version, hardware_revision, serial_number, gateway_id
);

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
select
    d.serial_number, d.device_id, d.device_status, d.last_seen_at, t.name as device_type,
    d.device_type_version, d.hardware_revision
from iot.devices as d
join iot.device_types as t using (device_type_id)
where d.organization_id = :organization_id and d.device_id = :device_id;

-- name: act_as(key_sha256, reason)!
-- Who changes something in this transaction and why, for the audit log.
select
    set_config('app.actor', 'api_key:' || api_key_id, true),
    set_config('app.reason', :reason::text, true)
from iot.api_keys
where token_sha256 = :key_sha256;

-- name: move_device(organization_id, device_id, device_status)^
-- A move in the life of a device; a trigger refuses one that is not in it and records the others.
update iot.devices as d
set device_status = :device_status
from iot.device_types as t
where d.organization_id = :organization_id
  and d.device_id = :device_id
  and t.device_type_id = d.device_type_id
returning
    d.serial_number, d.device_id, d.device_status, d.last_seen_at, t.name as device_type,
    d.device_type_version, d.hardware_revision;

-- name: audit_of(organization_id, subject_id, count)
-- What was done to one thing of an organization, newest first.
select
    audit_id, subject_kind, subject_id, action, from_state, to_state, actor, reason, occurred_at,
    recorded_at
from iot.audit_log
where organization_id = :organization_id and subject_id = :subject_id
order by audit_id desc
limit :count;
