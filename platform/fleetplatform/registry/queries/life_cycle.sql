-- name: give_reason(reason)^
-- Why something is changed in this transaction, for the audit log.
select set_config('app.reason', :reason::text, true);

-- name: move_device(organization_id, device_id, device_status)^
-- A move in the life of a device; a trigger refuses one that is not in it and records the others.
update iot.devices
set device_status = :device_status
where organization_id = :organization_id and device_id = :device_id
returning device_id;
