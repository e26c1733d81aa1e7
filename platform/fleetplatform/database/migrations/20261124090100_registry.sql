-- migrate:up

create sequence iot.registry_revision as bigint;
comment on sequence iot.registry_revision is
    'Revisions of registry rows: one order for all tables, the order of commits.';
grant select on sequence iot.registry_revision to iot_ingest, iot_worker, iot_api;
grant usage on sequence iot.registry_revision to iot_api;

create function iot_private.write_registry() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- One writer at a time: then revisions are committed in order, and a reader that asks for
    -- revisions above the highest it has seen misses none.
    perform pg_advisory_xact_lock(hashtextextended('iot.registry_revision', 0));
    perform pg_notify('iot_registry', '');
    return null;
end
$$;
comment on function iot_private.write_registry() is
    'Before a statement that changes the registry: wait for other writers, wake the readers.';

create function iot_private.next_revision() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.revision := nextval('iot.registry_revision');
    return new;
end
$$;
comment on function iot_private.next_revision() is 'A changed registry row gets a new revision.';

create table iot.organizations (
    organization_id uuid primary key default uuidv7(),
    parent_id uuid references iot.organizations (organization_id),
    name text not null check (length(name) between 1 and 200),
    created_at timestamptz not null default clock_timestamp(),
    check (parent_id <> organization_id)
);
comment on table iot.organizations is 'Tenants, as a tree: a parent sees its descendants.';
comment on column iot.organizations.organization_id is 'Identity (UUIDv7).';
comment on column iot.organizations.parent_id is 'The organization above; null at the root.';
comment on column iot.organizations.name is 'Name for people; not unique.';
comment on column iot.organizations.created_at is 'When it was made (wall clock).';
create index idx_organizations_parent on iot.organizations (parent_id)
    where parent_id is not null;

create table iot.api_keys (
    organization_id uuid not null references iot.organizations (organization_id),
    api_key_id uuid not null default uuidv7(),
    token_sha256 bytea not null unique check (octet_length(token_sha256) = 32),
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz,
    primary key (organization_id, api_key_id)
);
comment on table iot.api_keys is 'Keys with which an organization''s programs use the API.';
comment on column iot.api_keys.organization_id is 'Whose key it is.';
comment on column iot.api_keys.api_key_id is 'Identity (UUIDv7).';
comment on column iot.api_keys.token_sha256 is 'SHA-256 of the token; the token is not kept.';
comment on column iot.api_keys.created_at is 'When it was made (wall clock).';
comment on column iot.api_keys.revoked_at is 'Since when it is refused; null while it is good.';

create table iot.device_types (
    device_type_id uuid primary key default uuidv7(),
    name text not null unique check (length(name) between 1 and 200),
    version text not null check (length(version) between 1 and 100),
    specification jsonb not null check (jsonb_typeof(specification) = 'object'),
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision')
);
comment on table iot.device_types is 'The catalogue of device types, common to all tenants.';
comment on column iot.device_types.device_type_id is 'Identity (UUIDv7).';
comment on column iot.device_types.name is 'Name by which devices and rules refer to it.';
comment on column iot.device_types.version is 'Version of the specification.';
comment on column iot.device_types.specification is
    'Sensors by name, with type, unit, range and resolution.';
comment on column iot.device_types.created_at is 'When it was made (wall clock).';
comment on column iot.device_types.revision is 'Moves with each change.';
create index idx_device_types_revision on iot.device_types (revision);

create table iot.devices (
    organization_id uuid not null references iot.organizations (organization_id),
    device_id uuid not null default uuidv7() unique,
    device_type_id uuid not null references iot.device_types (device_type_id),
    serial_number text not null check (length(serial_number) between 1 and 200),
    device_status text not null default 'provisioning' check (
        device_status in ('provisioning', 'active', 'maintenance', 'suspended', 'decommissioned')
    ),
    gateway_id uuid,
    last_seen_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, device_id),
    unique (organization_id, serial_number),
    foreign key (organization_id, gateway_id) references iot.devices (organization_id, device_id),
    check (gateway_id <> device_id)
);
comment on table iot.devices is 'Devices and where they stand in their life.';
comment on column iot.devices.organization_id is 'Whose device it is.';
comment on column iot.devices.device_id is 'Identity (UUIDv7).';
comment on column iot.devices.device_type_id is 'What it is.';
comment on column iot.devices.serial_number is 'Its maker''s number, unique in the organization.';
comment on column iot.devices.device_status is
    'provisioning, active, maintenance, suspended or decommissioned.';
comment on column iot.devices.gateway_id is 'The device that speaks for it; null: it does so itself.';
comment on column iot.devices.last_seen_at is 'Last contact (virtual time); null before the first.';
comment on column iot.devices.created_at is 'When it was enrolled (wall clock).';
comment on column iot.devices.revision is 'Moves with each change; not with contact.';
create index idx_devices_active on iot.devices (device_id) where device_status = 'active';
create index idx_devices_revision on iot.devices (revision);
create index idx_devices_gateway on iot.devices (organization_id, gateway_id)
    where gateway_id is not null;

create table iot.device_credentials (
    organization_id uuid not null,
    credential_id uuid not null default uuidv7(),
    device_id uuid not null,
    token_sha256 bytea not null unique check (octet_length(token_sha256) = 32),
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz,
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, credential_id),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id)
);
comment on table iot.device_credentials is 'Tokens with which devices and gateways log in.';
comment on column iot.device_credentials.organization_id is 'Whose device it is.';
comment on column iot.device_credentials.credential_id is 'Identity (UUIDv7).';
comment on column iot.device_credentials.device_id is 'The device that logs in.';
comment on column iot.device_credentials.token_sha256 is
    'SHA-256 of the token; the token is not kept.';
comment on column iot.device_credentials.created_at is 'When it was made (wall clock).';
comment on column iot.device_credentials.revoked_at is
    'Since when it is refused; null while it is good.';
comment on column iot.device_credentials.revision is 'Moves with each change.';
create index idx_device_credentials_device on iot.device_credentials (organization_id, device_id);
create index idx_device_credentials_revision on iot.device_credentials (revision);

create table iot.sensors (
    organization_id uuid not null,
    sensor_id uuid not null default uuidv7() unique,
    device_id uuid not null,
    name text not null check (length(name) between 1 and 200),
    position smallint not null check (position >= 0),
    sensor_type smallint not null check (sensor_type > 0),
    unit text not null check (length(unit) <= 40),
    value_min double precision not null check (value_min <> 'nan'),
    value_max double precision not null check (value_max <> 'nan'),
    resolution double precision not null check (resolution >= 0 and resolution < 'infinity'),
    sensor_status text not null default 'active' check (sensor_status in ('active', 'inactive')),
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, sensor_id),
    unique (organization_id, device_id, name),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id),
    check (value_min <= value_max)
);
comment on table iot.sensors is 'The sensors of each device, as its type specified them.';
comment on column iot.sensors.organization_id is 'Whose sensor it is.';
comment on column iot.sensors.sensor_id is 'Identity (UUIDv7).';
comment on column iot.sensors.device_id is 'The device that it is part of.';
comment on column iot.sensors.name is 'Name, unique in the device.';
comment on column iot.sensors.position is 'Place in the order of the device''s type, from 0.';
comment on column iot.sensors.sensor_type is 'Code of the catalogue of sensor types.';
comment on column iot.sensors.unit is 'Unit of its calibrated values.';
comment on column iot.sensors.value_min is 'Lowest value that it can measure, in unit.';
comment on column iot.sensors.value_max is 'Highest value that it can measure, in unit.';
comment on column iot.sensors.resolution is 'Smallest step between two values, in unit.';
comment on column iot.sensors.sensor_status is 'active or inactive.';
comment on column iot.sensors.created_at is 'When it was enrolled (wall clock).';
comment on column iot.sensors.revision is 'Moves with each change.';
create index idx_sensors_active on iot.sensors (sensor_id) where sensor_status = 'active';
create index idx_sensors_revision on iot.sensors (revision);

create table iot.sensor_calibrations (
    organization_id uuid not null,
    calibration_id uuid not null default uuidv7(),
    sensor_id uuid not null,
    multiplier double precision not null check (
        multiplier <> 0 and multiplier > '-infinity' and multiplier < 'infinity'
    ),
    offset_value double precision not null check (
        offset_value > '-infinity' and offset_value < 'infinity'
    ),
    valid_from timestamptz not null default '-infinity',
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, calibration_id),
    unique (organization_id, sensor_id, valid_from),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.sensor_calibrations is
    'The history of calibrations: calibrated = raw × multiplier + offset_value.';
comment on column iot.sensor_calibrations.organization_id is 'Whose sensor it is.';
comment on column iot.sensor_calibrations.calibration_id is 'Identity (UUIDv7).';
comment on column iot.sensor_calibrations.sensor_id is 'The calibrated sensor.';
comment on column iot.sensor_calibrations.multiplier is 'Factor of the raw value; not zero.';
comment on column iot.sensor_calibrations.offset_value is 'Added after the factor, in the sensor''s unit.';
comment on column iot.sensor_calibrations.valid_from is
    'Measurement time from which it holds; -infinity: always.';
comment on column iot.sensor_calibrations.created_at is 'When it was entered (wall clock).';
comment on column iot.sensor_calibrations.revision is 'Moves with each change.';
create index idx_sensor_calibrations_revision on iot.sensor_calibrations (revision);

select iot_private.protect(name)
from unnest(array[
    'iot.organizations', 'iot.api_keys', 'iot.devices', 'iot.device_credentials', 'iot.sensors',
    'iot.sensor_calibrations'
]::regclass[]) as name;

create trigger write_registry before insert or update on iot.device_types
    for each statement execute function iot_private.write_registry();
create trigger write_registry before insert or update of
        device_type_id, serial_number, device_status, gateway_id on iot.devices
    for each statement execute function iot_private.write_registry();
create trigger write_registry before insert or update on iot.device_credentials
    for each statement execute function iot_private.write_registry();
create trigger write_registry before insert or update on iot.sensors
    for each statement execute function iot_private.write_registry();
create trigger write_registry before insert or update on iot.sensor_calibrations
    for each statement execute function iot_private.write_registry();

create trigger next_revision before update on iot.device_types
    for each row execute function iot_private.next_revision();
create trigger next_revision before update of
        device_type_id, serial_number, device_status, gateway_id on iot.devices
    for each row execute function iot_private.next_revision();
create trigger next_revision before update on iot.device_credentials
    for each row execute function iot_private.next_revision();
create trigger next_revision before update on iot.sensors
    for each row execute function iot_private.next_revision();
create trigger next_revision before update on iot.sensor_calibrations
    for each row execute function iot_private.next_revision();

grant select on iot.organizations, iot.device_types, iot.devices, iot.device_credentials,
    iot.sensors, iot.sensor_calibrations to iot_ingest, iot_worker, iot_api;
grant update (last_seen_at) on iot.devices to iot_ingest;
grant select on iot.api_keys to iot_worker, iot_api;
grant insert on iot.organizations, iot.api_keys, iot.device_types, iot.devices,
    iot.device_credentials, iot.sensors, iot.sensor_calibrations to iot_api;
grant update (name) on iot.organizations to iot_api;
grant update (revoked_at) on iot.api_keys, iot.device_credentials to iot_api;
grant update (version, specification) on iot.device_types to iot_api;
grant update (device_type_id, serial_number, device_status, gateway_id) on iot.devices to iot_api;
grant update (unit, value_min, value_max, resolution, sensor_status) on iot.sensors to iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
