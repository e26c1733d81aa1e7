-- migrate:up

drop function iot_private.limit_to_shared_groups(regclass);

create function iot_private.limit_to_shared_groups(
    device_table regclass, device_column name default 'device_id'
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Read once a statement: a setting, and then a hashed set of devices. Nothing is looked up
    -- for each row, and whoever has no limit pays for one comparison.
    execute format(
        $policy$
        create policy shared_groups on %s as restrictive to iot_api
        using (
            (select nullif(current_setting('app.device_groups', true), '')) is null
            or %I in (
                select m.device_id
                from iot.device_group_members as m
                where m.group_id = any ((
                    select string_to_array(
                        nullif(current_setting('app.device_groups', true), ''), ','
                    )::uuid[]
                )::uuid[])
            )
        )
        with check (true)
        $policy$,
        device_table, device_column
    );
end
$$;
comment on function iot_private.limit_to_shared_groups(regclass, name) is
    'Row level security of a table with a device in a column: people who are limited to groups of'
    ' devices see the rows of those devices only.';

create function iot_private.limit_to_seen(
    tenant_table regclass, reference name, seen_table regclass
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        $policy$
        create policy shared_groups on %1$s as restrictive to iot_api
        using (
            (select nullif(current_setting('app.device_groups', true), '')) is null
            or %2$I is null
            or exists (select from %3$s as seen where seen.%2$I = %1$s.%2$I)
        )
        with check (true)
        $policy$,
        tenant_table, reference, seen_table
    );
end
$$;
comment on function iot_private.limit_to_seen(regclass, name, regclass) is
    'Row level security of a table that speaks of rows of another: people who are limited to groups'
    ' of devices see what speaks of nothing that they do not see.';

do $$
declare
    limited regclass;
begin
    for limited in select polrelid::regclass from pg_policy where polname = 'shared_groups' loop
        execute format('drop policy shared_groups on %s', limited);
        perform iot_private.limit_to_shared_groups(limited);
    end loop;
end
$$;
select iot_private.limit_to_shared_groups('iot.device_credentials');
select iot_private.limit_to_shared_groups('iot.audit_log', 'subject_id');
select iot_private.limit_to_seen('iot.sensor_calibrations', 'sensor_id', 'iot.sensors');
select iot_private.limit_to_seen('iot.alert_rules', 'sensor_id', 'iot.sensors');
select iot_private.limit_to_seen('iot.alert_events', 'alert_id', 'iot.alerts');

-- What the other policies read cannot itself be limited through them.
do $$
declare
    group_table regclass;
begin
    foreach group_table in array array['iot.device_groups', 'iot.device_group_members']::regclass[]
    loop
        execute format(
            $policy$
            create policy shared_groups on %s as restrictive to iot_api
            using (
                (select nullif(current_setting('app.device_groups', true), '')) is null
                or group_id = any ((
                    select string_to_array(
                        nullif(current_setting('app.device_groups', true), ''), ','
                    )::uuid[]
                )::uuid[])
            )
            with check (true)
            $policy$,
            group_table
        );
    end loop;
end
$$;

create function iot_private.protect_readings() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform iot_private.protect('iot.sensor_data');
    -- A question about all sensors is asked of each row. Here no index leads to an organization, so
    -- the set of those that are seen is hashed (an array would be searched through, row by row), a
    -- lone one is compared without it, and only then is it asked which devices are seen.
    alter policy tenant on iot.sensor_data using (
        case
            when case
                when (
                    select current_setting('app.organization_ids', true)
                        = current_setting('app.organization_id', true)
                ) then organization_id = (
                    select nullif(current_setting('app.organization_id', true), '')::uuid
                )
                else organization_id in (
                    select unnest(string_to_array(
                        nullif(current_setting('app.organization_ids', true), ''), ','
                    )::uuid[])
                )
            end
            then (select nullif(current_setting('app.device_groups', true), '')) is null
                or device_id in (
                    select m.device_id
                    from iot.device_group_members as m
                    where m.group_id = any ((
                        select string_to_array(
                            nullif(current_setting('app.device_groups', true), ''), ','
                        )::uuid[]
                    )::uuid[])
                )
            else false
        end
    );
end
$$;
comment on function iot_private.protect_readings() is
    'Row level security of readings: as of any tenant''s devices, in a form that is cheap by row.';

-- Storage that was made before; new storage is protected when it is made.
do $$
begin
    if to_regclass('iot.sensor_data') is not null then
        drop policy tenant on iot.sensor_data;
        drop policy every_tenant on iot.sensor_data;
        perform iot_private.protect_readings();
    end if;
end
$$;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
