-- migrate:up

create table iot.organization_quotas (
    organization_id uuid primary key references iot.organizations (organization_id),
    devices bigint check (devices >= 0),
    readings_per_s double precision check (
        readings_per_s > 0 and readings_per_s < 'infinity'
    ),
    rules bigint check (rules >= 0),
    storage_days integer check (storage_days >= 1),
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision')
);
comment on table iot.organization_quotas is
    'What an organization may have at most; no row, or null: as much as it wants.';
comment on column iot.organization_quotas.organization_id is 'Whose quotas they are.';
comment on column iot.organization_quotas.devices is 'Devices that are not decommissioned.';
comment on column iot.organization_quotas.readings_per_s is 'Readings a second of all its devices.';
comment on column iot.organization_quotas.rules is 'Active alert rules.';
comment on column iot.organization_quotas.storage_days is 'Days that readings are kept.';
comment on column iot.organization_quotas.created_at is 'When they were first set (wall clock).';
comment on column iot.organization_quotas.revision is 'Moves with each change.';
create index idx_organization_quotas_revision on iot.organization_quotas (revision);

create table iot.organization_rates (
    organization_id uuid primary key references iot.organizations (organization_id),
    readings_per_s double precision not null check (
        readings_per_s >= 0 and readings_per_s < 'infinity'
    ),
    measured_at timestamptz not null
);
comment on table iot.organization_rates is
    'How many readings a second an organization''s devices sent, as ingest last counted them.';
comment on column iot.organization_rates.organization_id is 'Whose devices they are.';
comment on column iot.organization_rates.readings_per_s is 'Readings a second that were taken in.';
comment on column iot.organization_rates.measured_at is 'When they were counted (wall clock).';

select iot_private.protect(name)
from unnest(array['iot.organization_quotas', 'iot.organization_rates']::regclass[]) as name;

create trigger write_registry before insert or update on iot.organization_quotas
    for each statement execute function iot_private.write_registry();
create trigger next_revision before update on iot.organization_quotas
    for each row execute function iot_private.next_revision();

grant select on iot.organization_quotas to iot_ingest, iot_worker, iot_api;
grant insert on iot.organization_quotas to iot_api;
grant update (devices, readings_per_s, rules, storage_days) on iot.organization_quotas to iot_api;
grant select on iot.organization_rates to iot_worker, iot_api;
grant select, insert, update on iot.organization_rates to iot_ingest;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
