-- migrate:up

create table iot.device_type_versions (
    device_type_id uuid not null references iot.device_types (device_type_id),
    version text not null check (length(version) between 1 and 100),
    specification json not null check (json_typeof(specification) = 'object'),
    created_at timestamptz not null default clock_timestamp(),
    primary key (device_type_id, version)
);
comment on table iot.device_type_versions is
    'Every specification that a device type ever had, common to all tenants; never changed.';
comment on column iot.device_type_versions.device_type_id is 'The device type.';
comment on column iot.device_type_versions.version is 'Version, unique in the type.';
comment on column iot.device_type_versions.specification is
    'Sensors, commands, settings, hardware and firmware; json, for the order of members counts.';
comment on column iot.device_type_versions.created_at is 'When it was put (wall clock).';
grant select on iot.device_type_versions to iot_ingest, iot_worker, iot_api;
grant insert on iot.device_type_versions to iot_api;

insert into iot.device_type_versions (device_type_id, version, specification)
select
    device_type_id, version, json_build_object(
        'name', name,
        'version', version,
        'description', coalesce(specification ->> 'description', ''),
        'sensors', (
            select coalesce(json_object_agg(one ->> 'sensor', one - 'sensor' order by at), '{}')
            from jsonb_array_elements(specification -> 'sensors')
                with ordinality as s (one, at)
        ),
        'commands', '{}'::json,
        'configuration', '{"type": "object", "properties": {}}'::json,
        'hardware_revisions', '["1"]'::json,
        'firmware', '{}'::json
    )
from iot.device_types;

alter table iot.device_types drop column specification;
comment on column iot.device_types.version is 'The version that was put last; devices get it.';

alter table iot.devices add column device_type_version text, add column hardware_revision text;
update iot.devices as d
set device_type_version = t.version, hardware_revision = '1'
from iot.device_types as t
where t.device_type_id = d.device_type_id;
alter table iot.devices
    alter column device_type_version set not null,
    alter column hardware_revision set not null,
    add constraint devices_hardware_revision_check
        check (length(hardware_revision) between 1 and 100),
    add constraint devices_device_type_version_fkey
        foreign key (device_type_id, device_type_version)
        references iot.device_type_versions (device_type_id, version);
comment on column iot.devices.device_type_version is
    'The version of its type''s specification that it was enrolled with.';
comment on column iot.devices.hardware_revision is 'Which of its type''s revisions it is.';

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
