-- name: give_reason(reason)^
-- Why something is changed in this transaction, for the audit log.
select set_config('app.reason', :reason::text, true);

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

-- name: meet_device(organization_id, serial_number)^
-- A device that makes contact.
select
    d.device_id, d.device_status, d.gateway_id, t.name as device_type, d.device_type_version
from iot.devices as d
join iot.device_types as t using (device_type_id)
where d.organization_id = :organization_id and d.serial_number = :serial_number;

-- name: hold_registry()^
-- Until the end of the transaction nobody else changes devices or their tokens. A lock of rows would
-- not do: other writers take this one first and rows after it.
select pg_advisory_xact_lock(hashtextextended('iot.registry_revision', 0));
