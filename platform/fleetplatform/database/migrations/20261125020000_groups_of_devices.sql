-- migrate:up

alter table iot.devices
    add column tags text[] not null default '{}' check (
        cardinality(tags) <= 50 and coalesce(array_ndims(tags), 1) = 1
        and array_position(tags, null) is null
    ),
    add column firmware_version text check (length(firmware_version) between 1 and 100);
comment on column iot.devices.tags is 'Words that its organization gave it, sorted, each once.';
comment on column iot.devices.firmware_version is 'What runs on it, as last told; null: not known.';

-- Lists are shown in the order of the serial number, which has an index, or of this, whatever they
-- are filtered by. last_seen_at is in no index: contact would have to change it for every device
-- every half minute.
create index idx_devices_created on iot.devices (organization_id, created_at, device_id);
create index idx_devices_type on iot.devices (organization_id, device_type_id);
create index idx_devices_status on iot.devices (organization_id, device_status)
    where device_status <> 'active';
create index idx_devices_tags on iot.devices using gin (tags) where tags <> '{}';
create index idx_devices_firmware on iot.devices (organization_id, firmware_version)
    where firmware_version is not null;

create index idx_device_groups_name on iot.device_groups (name, group_id);
create index idx_device_groups_created on iot.device_groups (created_at, group_id);

-- A change is seen by readers of the registry in the order of commits, and moves the revision
-- only where something is another than before.
create or replace trigger write_registry before insert or update of
        device_type_id, serial_number, device_status, gateway_id, tags, firmware_version
    on iot.devices
    for each statement execute function iot_private.write_registry();
create or replace trigger next_revision before update of
        device_type_id, serial_number, device_status, gateway_id, tags, firmware_version
    on iot.devices
    for each row
    when (
        (old.device_type_id, old.serial_number, old.device_status, old.gateway_id, old.tags,
            old.firmware_version)
        is distinct from
        (new.device_type_id, new.serial_number, new.device_status, new.gateway_id, new.tags,
            new.firmware_version)
    )
    execute function iot_private.next_revision();

grant update (tags, firmware_version) on iot.devices to iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
