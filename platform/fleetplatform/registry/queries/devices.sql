-- name: keep_to_indexes()^
-- For this transaction: references are checked by plans that a session keeps, and one from when
-- there were few devices would go through all of many for each row.
select set_config('enable_seqscan', 'off', true);

-- name: find_serials(organization_id, serials)
-- Devices of one organization by serial number.
select serial_number, device_id
from iot.find_serials(:organization_id::uuid, :serials::text[]);

-- name: add_devices(organization_id, device_ids, types, versions, revisions, serials, gateways, tags, firmware, device_status)!
-- Devices as enrolled: active from the start, or waiting for their first contact; the tags of each
-- are lines of a text.
insert into iot.devices (
    organization_id, device_id, device_type_id, device_type_version, hardware_revision,
    serial_number, device_status, gateway_id, tags, firmware_version
)
select
    :organization_id::uuid, device_id, device_type_id, device_type_version, hardware_revision,
    serial_number, :device_status::text, gateway_id, string_to_array(tags, E'\n'),
    firmware_version
from unnest(
    :device_ids::uuid[], :types::uuid[], :versions::text[], :revisions::text[], :serials::text[],
    :gateways::uuid[], :tags::text[], :firmware::text[]
) as d (
    device_id, device_type_id, device_type_version, hardware_revision, serial_number, gateway_id,
    tags, firmware_version
);

-- name: record_contact(device_ids, seen_at)!
-- The last contact of many devices, each once.
with contact as (
    select * from unnest(:device_ids::uuid[], :seen_at::timestamptz[]) as c (device_id, seen_at)
), known as (
    update iot.device_contacts as d
    set last_seen_at = c.seen_at
    from contact as c
    where d.device_id = c.device_id
    returning d.device_id
)
insert into iot.device_contacts (organization_id, device_id, last_seen_at)
select d.organization_id, d.device_id, c.seen_at
from contact as c
join iot.devices as d using (device_id)
where device_id not in (select k.device_id from known as k)
on conflict (device_id) do update set last_seen_at = excluded.last_seen_at;

-- name: find_device(device_id)^
-- One device that the caller sees.
select
    d.organization_id, d.device_id, d.serial_number, d.device_status, t.name as device_type,
    d.device_type_version, d.hardware_revision, d.firmware_version, d.tags, d.gateway_id,
    c.last_seen_at, d.created_at, d.revision
from iot.devices as d
join iot.device_types as t using (device_type_id)
left join iot.device_contacts as c using (device_id)
where d.device_id = :device_id;

-- name: list_devices(sort, descending, after_value, after_id, count, serial, type, status, tags, group_id, firmware, gateway_id, seen_since, is_online)
-- A page of the devices that the caller sees; a null filter asks for nothing.
select
    d.organization_id, d.device_id, d.serial_number, d.device_status, t.name as device_type,
    d.device_type_version, d.hardware_revision, d.firmware_version, d.tags, d.gateway_id,
    c.last_seen_at, d.created_at, d.revision
from iot.find_devices(
    :sort::text, :descending::boolean, :after_value::text, :after_id::uuid, :count::int,
    :serial::text, :type::text, :status::text, :tags::text[], :group_id::uuid, :firmware::text,
    :gateway_id::uuid, :seen_since::timestamptz, :is_online::boolean
) with ordinality as p (device_id, at)
join iot.devices as d using (device_id)
join iot.device_types as t using (device_type_id)
left join iot.device_contacts as c using (device_id)
order by p.at;

-- name: change_device(organization_id, device_id, expected, changes_tags, tags, changes_firmware, firmware_version, changes_gateway, gateway_id)^
-- What is said of a device, if it still has the revision that is expected of it.
update iot.devices
set tags = case when :changes_tags::boolean then :tags::text[] else tags end,
    firmware_version = case
        when :changes_firmware::boolean then :firmware_version::text else firmware_version
    end,
    gateway_id = case when :changes_gateway::boolean then :gateway_id::uuid else gateway_id end
where organization_id = :organization_id
  and device_id = :device_id
  and revision = coalesce(:expected::bigint, revision)
returning device_id;

-- name: has_device(organization_id, device_id)$
-- Whether an organization has a device that the caller sees.
select exists (
    select from iot.devices where organization_id = :organization_id and device_id = :device_id
);
