-- name: give_reason(reason)^
-- Why something is changed in this transaction, for the audit log.
select set_config('app.reason', :reason::text, true);

-- name: move_device(organization_id, device_id, device_status)^
-- A move in the life of a device; a trigger refuses one that is not in it and records the others.
update iot.devices
set device_status = :device_status
where organization_id = :organization_id and device_id = :device_id
returning device_id;

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
