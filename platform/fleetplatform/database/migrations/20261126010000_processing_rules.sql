-- migrate:up

create table iot.data_processing_rules (
    organization_id uuid not null references iot.organizations (organization_id),
    processing_rule_id uuid not null default uuidv7(),
    name text not null check (length(name) between 1 and 200),
    kind text not null check (length(kind) between 1 and 100),
    settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    inputs jsonb not null default '[{}]' check (jsonb_typeof(inputs) = 'array'),
    device_type text references iot.device_types (name),
    output_name text not null check (length(output_name) between 1 and 200),
    output_units text[] not null default '{}',
    is_active boolean not null default true,
    deleted_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, processing_rule_id),
    check (deleted_at is null or not is_active)
);
comment on table iot.data_processing_rules is
    'What is made of readings as they come; ingest follows every change.';
comment on column iot.data_processing_rules.organization_id is 'Whose rule it is.';
comment on column iot.data_processing_rules.processing_rule_id is 'Identity (UUIDv7).';
comment on column iot.data_processing_rules.name is
    'Name, unique among the rules of the organization that are not deleted.';
comment on column iot.data_processing_rules.kind is 'Which of processing/rules it is.';
comment on column iot.data_processing_rules.settings is 'Settings of the kind, as they were checked.';
comment on column iot.data_processing_rules.inputs is
    'What it takes, in order: for each input a selection of sensors of a device, or another rule.';
comment on column iot.data_processing_rules.device_type is
    'Name of the device type whose devices it speaks of; null: any.';
comment on column iot.data_processing_rules.output_name is 'What the values that it makes are called.';
comment on column iot.data_processing_rules.output_units is
    'Units of these, by the sensors that it spoke of when it was saved.';
comment on column iot.data_processing_rules.is_active is 'Whether values are made by it.';
comment on column iot.data_processing_rules.deleted_at is
    'When it was deleted (wall clock); its values stay.';
comment on column iot.data_processing_rules.created_at is 'When it was made (wall clock).';
comment on column iot.data_processing_rules.revision is 'Moves with each change.';
create unique index idx_data_processing_rules_name
    on iot.data_processing_rules (organization_id, name) where deleted_at is null;
create index idx_data_processing_rules_revision on iot.data_processing_rules (revision);

-- As sensor_data without foreign keys: they would cost more than the row.
create table iot.processed_data (
    measurement_timestamp timestamptz not null,
    value double precision,
    organization_id uuid not null,
    sensor_id uuid not null,
    processing_rule_id uuid not null,
    flag smallint not null,
    primary key (organization_id, sensor_id, measurement_timestamp, processing_rule_id),
    check ((flag & 1 = 1) = (value is null))
) partition by range (measurement_timestamp);
comment on table iot.processed_data is
    'What rules made of readings; stored in the transaction of the reading that it was made of.';
comment on column iot.processed_data.measurement_timestamp is
    'Measurement time of that reading (virtual time).';
comment on column iot.processed_data.value is 'In the unit of the rule''s output; null: undefined.';
comment on column iot.processed_data.organization_id is 'Whose rule, and whose sensor, it is.';
comment on column iot.processed_data.sensor_id is 'The sensor of the rule''s first input.';
comment on column iot.processed_data.processing_rule_id is 'The rule.';
comment on column iot.processed_data.flag is
    'Bits: 1 undefined, such as a division by zero; 2 a window that held more readings than are'
    ' kept; 4 the reading''s own data_quality is not 0; 8 it came late.';
create table iot.processed_data_default (like iot.processed_data including all);
alter table iot.processed_data attach partition iot.processed_data_default default;
comment on table iot.processed_data_default is 'Part of processed_data: what has no month of its own.';
alter table iot.processed_data_default enable row level security, force row level security;

select iot_private.protect(name)
from unnest(array['iot.data_processing_rules', 'iot.processed_data']::regclass[]) as name;
select iot_private.limit_to_seen('iot.processed_data', 'sensor_id', 'iot.sensors');
select iot_private.audit('iot.data_processing_rules', 'processing_rule', 'processing_rule_id');

create trigger write_registry before insert or update on iot.data_processing_rules
    for each statement execute function iot_private.write_registry();
create trigger next_revision before update on iot.data_processing_rules
    for each row execute function iot_private.next_revision();

grant select on iot.data_processing_rules to iot_ingest, iot_worker, iot_api;
grant insert on iot.data_processing_rules to iot_api;
grant update (
    name, settings, inputs, device_type, output_name, output_units, is_active, deleted_at
) on iot.data_processing_rules to iot_api;
grant insert on iot.processed_data to iot_ingest;
grant select on iot.processed_data to iot_worker, iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
