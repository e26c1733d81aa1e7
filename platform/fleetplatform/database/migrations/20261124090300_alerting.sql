-- migrate:up

create table iot.alert_rules (
    organization_id uuid not null references iot.organizations (organization_id),
    rule_id uuid not null default uuidv7() unique,
    name text not null check (length(name) between 1 and 200),
    conditions jsonb not null check (
        jsonb_typeof(conditions) = 'object' and conditions <> '{}'
    ),
    severity text not null check (severity in ('info', 'warning', 'critical')),
    device_type text references iot.device_types (name),
    sensor_type smallint check (sensor_type > 0),
    sensor_id uuid,
    is_active boolean not null default true,
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, rule_id),
    unique (organization_id, name),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.alert_rules is 'When people are told; a null scope means any.';
comment on column iot.alert_rules.organization_id is 'Whose rule it is.';
comment on column iot.alert_rules.rule_id is 'Identity (UUIDv7).';
comment on column iot.alert_rules.name is 'Name, unique in the organization.';
comment on column iot.alert_rules.conditions is 'Conditions by name; all must hold.';
comment on column iot.alert_rules.severity is 'info, warning or critical.';
comment on column iot.alert_rules.device_type is 'Name of the device type that it speaks of.';
comment on column iot.alert_rules.sensor_type is 'Code of the sensor type that it speaks of.';
comment on column iot.alert_rules.sensor_id is 'The one sensor that it speaks of.';
comment on column iot.alert_rules.is_active is 'Whether it is evaluated.';
comment on column iot.alert_rules.created_at is 'When it was made (wall clock).';
comment on column iot.alert_rules.revision is 'Moves with each change.';
create index idx_alert_rules_revision on iot.alert_rules (revision);

create table iot.alerts (
    organization_id uuid not null,
    alert_id uuid not null default uuidv7(),
    rule_id uuid not null,
    sensor_id uuid not null,
    device_id uuid not null,
    severity text not null check (severity in ('info', 'warning', 'critical')),
    alert_status text not null default 'active' check (
        alert_status in ('active', 'acknowledged', 'resolved', 'suppressed')
    ),
    alert_timestamp timestamptz not null,
    trigger_value double precision,
    resolved_at timestamptz,
    alert_metadata jsonb check (jsonb_typeof(alert_metadata) = 'object'),
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, alert_id),
    foreign key (organization_id, rule_id) references iot.alert_rules (organization_id, rule_id),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id),
    check ((alert_status = 'resolved') = (resolved_at is not null))
);
comment on table iot.alerts is 'What a rule found at a sensor, from raised to resolved.';
comment on column iot.alerts.organization_id is 'Whose alert it is.';
comment on column iot.alerts.alert_id is 'Identity (UUIDv7).';
comment on column iot.alerts.rule_id is 'The rule that found it.';
comment on column iot.alerts.sensor_id is 'The sensor where it was found.';
comment on column iot.alerts.device_id is 'The device of that sensor.';
comment on column iot.alerts.severity is 'Of the rule, when the alert was raised.';
comment on column iot.alerts.alert_status is 'active, acknowledged, resolved or suppressed.';
comment on column iot.alerts.alert_timestamp is
    'Measurement time of the reading that raised it (virtual time).';
comment on column iot.alerts.trigger_value is
    'Calibrated value of that reading; null for a sensitive sensor.';
comment on column iot.alerts.resolved_at is
    'Measurement time of the reading that cleared it; null while it is open.';
comment on column iot.alerts.alert_metadata is 'More about it; null when there is nothing.';
comment on column iot.alerts.recorded_at is 'When the row was written (wall clock).';
create unique index idx_alerts_open on iot.alerts (organization_id, rule_id, sensor_id)
    where alert_status in ('active', 'acknowledged');
create index idx_alerts_time on iot.alerts (organization_id, alert_timestamp desc);
create index idx_alerts_metadata on iot.alerts using gin (alert_metadata);

create table iot.alert_events (
    organization_id uuid not null,
    event_id uuid not null default uuidv7(),
    alert_id uuid not null,
    event text not null check (event in ('raised', 'acknowledged', 'resolved')),
    occurred_at timestamptz not null,
    actor text not null check (length(actor) between 1 and 200),
    primary key (organization_id, event_id),
    foreign key (organization_id, alert_id) references iot.alerts (organization_id, alert_id)
);
comment on table iot.alert_events is 'The life of each alert, step by step.';
comment on column iot.alert_events.organization_id is 'Whose alert it is.';
comment on column iot.alert_events.event_id is 'Identity (UUIDv7).';
comment on column iot.alert_events.alert_id is 'The alert.';
comment on column iot.alert_events.event is 'raised, acknowledged or resolved.';
comment on column iot.alert_events.occurred_at is 'When it happened (virtual time).';
comment on column iot.alert_events.actor is 'Who did it: a person, or a part of the platform.';
create index idx_alert_events_alert on iot.alert_events (organization_id, alert_id);

select iot_private.protect(name)
from unnest(array['iot.alert_rules', 'iot.alerts', 'iot.alert_events']::regclass[]) as name;

create trigger write_registry before insert or update on iot.alert_rules
    for each statement execute function iot_private.write_registry();
create trigger next_revision before update on iot.alert_rules
    for each row execute function iot_private.next_revision();

grant select on iot.alert_rules to iot_ingest, iot_worker, iot_api;
grant insert on iot.alert_rules to iot_api;
grant update (name, conditions, severity, device_type, sensor_type, sensor_id, is_active)
    on iot.alert_rules to iot_api;
grant select, insert, update on iot.alerts to iot_ingest;
grant insert on iot.alert_events to iot_ingest;
grant select on iot.alerts, iot.alert_events to iot_worker, iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
