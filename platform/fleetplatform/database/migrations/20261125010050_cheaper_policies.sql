-- migrate:up

create or replace function iot_private.protect(tenant_table regclass) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'alter table %s enable row level security, force row level security', tenant_table
    );
    -- The sub-selects are evaluated once a statement; written plainly they cost each row. So would
    -- a cast outside of them: the one there is, from uuid[] to itself, only makes an expression of
    -- what would else be a set of rows, which no index serves.
    execute format(
        $policy$
        create policy tenant on %s to iot_api
        using (organization_id = any ((
            select string_to_array(
                nullif(current_setting('app.organization_ids', true), ''), ','
            )::uuid[]
        )::uuid[]))
        with check (organization_id = (
            select nullif(current_setting('app.organization_id', true), '')::uuid
        ))
        $policy$,
        tenant_table
    );
    execute format(
        'create policy every_tenant on %s to iot_worker using (true) with check (true)',
        tenant_table
    );
end
$$;

do $$
declare
    protected regclass;
begin
    for protected in select polrelid::regclass from pg_policy where polname = 'tenant' loop
        execute format('drop policy tenant on %s', protected);
        execute format('drop policy every_tenant on %s', protected);
        perform iot_private.protect(protected);
    end loop;
end
$$;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
