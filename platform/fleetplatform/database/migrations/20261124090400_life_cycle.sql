-- migrate:up

create function iot_private.check_device_move() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        if new.device_status in ('provisioning', 'active') then
            return new;
        end if;
        raise exception 'a device cannot begin its life %', new.device_status
            using errcode = 'check_violation', schema = 'iot', table = 'devices',
                constraint = 'devices_life_cycle';
    end if;
    if (old.device_status, new.device_status) in (
        ('provisioning', 'active'),
        ('active', 'maintenance'), ('maintenance', 'active'),
        ('active', 'suspended'), ('suspended', 'active'),
        ('provisioning', 'decommissioned'), ('active', 'decommissioned'),
        ('maintenance', 'decommissioned'), ('suspended', 'decommissioned')
    ) then
        return new;
    end if;
    raise exception 'a device that is % cannot become %', old.device_status, new.device_status
        using errcode = 'check_violation', schema = 'iot', table = 'devices',
            constraint = 'devices_life_cycle';
end
$$;
comment on function iot_private.check_device_move() is
    'The life of a device: refuses a beginning or a move that is not in it, whoever asks.';

create table iot.audit_log (
    organization_id uuid not null references iot.organizations (organization_id),
    audit_id uuid not null default uuidv7(),
    subject_kind text not null check (subject_kind in ('device')),
    subject_id uuid not null,
    action text not null check (action in ('status')),
    from_state text not null,
    to_state text not null,
    actor text not null check (length(actor) between 1 and 200),
    reason text check (length(reason) between 1 and 500),
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, audit_id)
);
comment on table iot.audit_log is
    'Who changed what, when and why; only a trigger writes it, and nobody changes it.';
comment on column iot.audit_log.organization_id is 'Whose subject it is.';
comment on column iot.audit_log.audit_id is 'Identity (UUIDv7).';
comment on column iot.audit_log.subject_kind is 'What kind of thing was changed: device.';
comment on column iot.audit_log.subject_id is 'Identity of what was changed.';
comment on column iot.audit_log.action is 'What was done: status, a move in its life.';
comment on column iot.audit_log.from_state is 'Where it stood before.';
comment on column iot.audit_log.to_state is 'Where it stands since.';
comment on column iot.audit_log.actor is
    'Who did it: api_key:<id>, or database:<role> for a statement outside the API.';
comment on column iot.audit_log.reason is 'Why, in the actor''s words; null outside the API.';
comment on column iot.audit_log.occurred_at is 'When it happened (virtual time).';
comment on column iot.audit_log.recorded_at is 'When the row was written (wall clock).';
create index idx_audit_log_subject on iot.audit_log (organization_id, subject_id, audit_id);

select iot_private.protect('iot.audit_log');
grant select on iot.audit_log to iot_worker, iot_api;

create trigger check_device_move before insert or update of device_status on iot.devices
    for each row execute function iot_private.check_device_move();

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
