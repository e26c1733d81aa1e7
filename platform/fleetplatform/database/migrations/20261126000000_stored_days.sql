-- migrate:up

create table iot.organization_days (
    organization_id uuid not null references iot.organizations (organization_id),
    day date not null,
    primary key (organization_id, day)
);
comment on table iot.organization_days is
    'The days of which an organization''s readings are stored; ingest adds, retention takes away.';
comment on column iot.organization_days.organization_id is 'Whose readings they are.';
comment on column iot.organization_days.day is 'The day they were measured on, UTC.';

select iot_private.protect('iot.organization_days');

grant insert on iot.organization_days to iot_ingest;
grant select on iot.organization_days to iot_worker, iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
