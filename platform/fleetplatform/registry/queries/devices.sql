-- name: find_serials(organization_id, serials)
-- Devices of one organization by serial number.
select
    d.serial_number, d.device_id, d.device_status, d.last_seen_at, t.name as device_type,
    d.device_type_version, d.hardware_revision
from iot.devices as d
join iot.device_types as t using (device_type_id)
where d.organization_id = :organization_id and d.serial_number = any (:serials::text[]);

-- name: add_devices(organization_id, device_ids, types, versions, revisions, serials, gateways, device_status)!
-- Devices as enrolled: active from the start, or waiting for their first contact.
insert into iot.devices (
    organization_id, device_id, device_type_id, device_type_version, hardware_revision,
    serial_number, device_status, gateway_id
)
select
    :organization_id::uuid, device_id, device_type_id, device_type_version, hardware_revision,
    serial_number, :device_status::text, gateway_id
from unnest(
    :device_ids::uuid[], :types::uuid[], :versions::text[], :revisions::text[], :serials::text[],
    :gateways::uuid[]
) as d (
    device_id, device_type_id, device_type_version, hardware_revision, serial_number, gateway_id
);

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
