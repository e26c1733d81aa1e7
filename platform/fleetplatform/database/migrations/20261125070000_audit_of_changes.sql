-- migrate:up

create table iot_private.audited_tables (
    table_name text primary key,
    subject_kind text not null check (length(subject_kind) between 1 and 60),
    id_column text not null,
    recorded_if text not null
);
comment on table iot_private.audited_tables is
    'Tenant tables whose changes go into the audit log, and how they are told there.';
comment on column iot_private.audited_tables.table_name is 'The table, with its schema.';
comment on column iot_private.audited_tables.subject_kind is 'What a row of it is called.';
comment on column iot_private.audited_tables.id_column is
    'The column that identifies what was changed; of a tie, the thing that it belongs to.';
comment on column iot_private.audited_tables.recorded_if is
    'Condition on a row r, in SQL: changes of other rows are told by another entry, or are no'
    ' person''s.';

-- The room registry has the whole of it (functions.sql, applied after the migrations).
create function iot_private.record_changes() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return null;
end
$$;
comment on function iot_private.record_changes() is
    'After a statement that changed an audited table: an entry of the audit log for each row.';

create function iot_private.audit(
    tenant_table regclass, subject_kind text, id_column text, recorded_if text default 'true'
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    tables text[] := array[
        'new table as after_rows', 'old table as before_rows new table as after_rows',
        'old table as before_rows'
    ];
    events text[] := array['insert', 'update', 'delete'];
begin
    insert into iot_private.audited_tables (table_name, subject_kind, id_column, recorded_if)
    select format('%I.%I', c.relnamespace::regnamespace, c.relname), $2, $3, $4
    from pg_class as c
    where c.oid = tenant_table;
    for i in 1 .. 3 loop
        execute format(
            'create trigger record_%s after %s on %s referencing %s'
            ' for each statement execute function iot_private.record_changes()',
            events[i], events[i], tenant_table, tables[i]
        );
    end loop;
end
$$;
comment on function iot_private.audit(regclass, text, text, text) is
    'From now on each change of a tenant table goes into the audit log: one entry a row that'
    ' recorded_if (SQL about a row r) takes, written by one statement for a statement.';

alter table iot.audit_log
    drop constraint audit_log_subject_kind_check,
    drop constraint audit_log_action_check,
    alter column from_state drop not null,
    alter column to_state drop not null,
    add column changed text[] not null default '{}',
    add constraint audit_log_subject_kind_check check (length(subject_kind) between 1 and 60),
    add constraint audit_log_action_check
        check (action in ('created', 'changed', 'status', 'deleted')),
    add constraint audit_log_status_check
        check (action <> 'status' or (from_state is not null and to_state is not null));
comment on column iot.audit_log.subject_kind is
    'What kind of thing was changed; iot_private.audited_tables lists them.';
comment on column iot.audit_log.action is
    'created, changed, status (a move in its life) or deleted.';
comment on column iot.audit_log.from_state is
    'What stood there before; null where nothing did, or where it is not for this log.';
comment on column iot.audit_log.to_state is
    'What stands there since; null where nothing does, or where it is not for this log.';
comment on column iot.audit_log.changed is 'Names of the columns that were changed.';

drop trigger if exists record_device_move on iot.devices;
drop function if exists iot_private.record_device_move();

select iot_private.audit('iot.organizations', 'organization', 'organization_id');
select iot_private.audit('iot.api_keys', 'api_key', 'api_key_id');
select iot_private.audit('iot.users', 'user', 'user_id');
select iot_private.audit('iot.user_groups', 'user_group', 'user_group_id');
select iot_private.audit('iot.user_group_members', 'user_group_member', 'user_group_id');
select iot_private.audit('iot.device_groups', 'device_group', 'group_id');
select iot_private.audit('iot.device_group_shares', 'device_group_share', 'group_id');
select iot_private.audit(
    'iot.device_group_members', 'device_group_member', 'group_id',
    -- Who belongs to a dynamic group follows from its rule.
    'exists (select from iot.device_groups as g where g.group_id = r.group_id'
    ' and g.organization_id = r.organization_id and g.kind = ''static'')'
);
select iot_private.audit('iot.devices', 'device', 'device_id');
select iot_private.audit(
    kind.table_name, kind.subject_kind, kind.id_column,
    -- What comes with a new device is told by the device's own entry.
    'exists (select from iot.devices as d where d.device_id = r.device_id'
    ' and d.organization_id = r.organization_id and d.created_at < transaction_timestamp())'
)
from (values
    ('iot.sensors'::regclass, 'sensor', 'sensor_id'),
    ('iot.device_credentials'::regclass, 'device_credential', 'credential_id')
) as kind (table_name, subject_kind, id_column);
select iot_private.audit('iot.sensor_calibrations', 'sensor_calibration', 'calibration_id');
select iot_private.audit('iot.alert_rules', 'alert_rule', 'rule_id');

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
