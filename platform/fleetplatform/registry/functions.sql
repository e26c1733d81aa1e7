create or replace function iot.find_principal(
    sha256 bytea,
    out organization_id uuid, out role text, out actor text, out device_groups uuid[]
) returns setof record
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select
        k.organization_id,
        case
            when u.role = 'viewer' or k.role = 'viewer' then 'viewer'
            when u.role = 'operator' or k.role = 'operator' then 'operator'
            else 'admin'
        end,
        case when u.user_id is null then 'api_key:' || k.api_key_id else 'user:' || u.user_id end,
        case when not u.sees_all then array(
            select distinct s.group_id
            from iot.user_group_members as m
            join iot.device_group_shares as s using (organization_id, user_group_id)
            where m.organization_id = u.organization_id and m.user_id = u.user_id
        ) end
    from iot.api_keys as k
    left join iot.users as u using (organization_id, user_id)
    where k.token_sha256 = sha256 and k.revoked_at is null and u.deactivated_at is null;
end;
comment on function iot.find_principal(bytea) is
    'Who shows a token, by its SHA-256: the organization, the role, the actor of the audit log and'
    ' the groups of devices they are limited to (null: none); no row for a token that is unknown or'
    ' no longer good.';
revoke execute on function iot.find_principal(bytea) from public;
grant execute on function iot.find_principal(bytea) to iot_api;

create or replace function iot.is_within(organization uuid, ancestor uuid) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    with recursive up (organization_id, parent_id) as (
        select o.organization_id, o.parent_id
        from iot.organizations as o
        where o.organization_id = organization
        union
        select o.organization_id, o.parent_id
        from up as u
        join iot.organizations as o on o.organization_id = u.parent_id
    )
    select exists (select from up where ancestor is null or organization_id = ancestor);
end;
comment on function iot.is_within(uuid, uuid) is
    'Whether an organization is another or lies below it; a null ancestor: whether it is there.';
revoke execute on function iot.is_within(uuid, uuid) from public;
grant execute on function iot.is_within(uuid, uuid) to iot_api;

create or replace function iot.every_organization() returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(string_agg(organization_id::text, ','), '') from iot.organizations;
end;
comment on function iot.every_organization() is
    'All organizations, as app.organization_ids holds them: what the operator sees.';
revoke execute on function iot.every_organization() from public;
grant execute on function iot.every_organization() to iot_api;

create or replace function iot_private.record_changes() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    told iot_private.audited_tables;
    who text := coalesce(
        nullif(current_setting('app.actor', true), ''), 'database:' || session_user
    );
    why text := nullif(current_setting('app.reason', true), '');
    happened timestamptz := iot.now();
    silent text[] := array['revision', 'created_at', 'last_seen_at'];
    key_columns text[];
    rest text;
    same_key text;
    differs text;
    harmless text[];
begin
    select * into strict told
    from iot_private.audited_tables
    where table_name = format('%I.%I', tg_table_schema, tg_table_name);
    select array_agg(a.attname::text order by a.attnum) into key_columns
    from pg_index as i
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where i.indrelid = tg_relid and i.indisprimary;
    -- Of a tie, the other end stands where a thing has what it was or is.
    select coalesce(string_agg(format('r.%I::text', one), $s$ || ' ' || $s$), 'null') into rest
    from unnest(key_columns) as one
    where one not in ('organization_id', told.id_column);

    if tg_op <> 'UPDATE' then
        execute format(
            'insert into iot.audit_log (organization_id, subject_kind, subject_id, action,'
            ' from_state, to_state, actor, reason, occurred_at)'
            ' select r.organization_id, $1, r.%1$I, %2$L, %3$s, %4$s, $2, $3, $4'
            ' from %5$s as r where %6$s',
            told.id_column,
            case tg_op when 'INSERT' then 'created' else 'deleted' end,
            case tg_op when 'INSERT' then 'null' else rest end,
            case tg_op when 'INSERT' then rest else 'null' end,
            case tg_op when 'INSERT' then 'after_rows' else 'before_rows' end,
            told.recorded_if
        ) using told.subject_kind, who, why, happened;
        return null;
    end if;

    select string_agg(format('b.%1$I = r.%1$I', one), ' and ') into same_key
    from unnest(key_columns) as one;
    select
        -- Types that cannot be compared as they are, such as json, are compared as text.
        string_agg(
            format(
                'b.%1$I%2$s is distinct from r.%1$I%2$s', a.attname,
                case when o.oid is null then '::text' end
            ), ' or '
        ),
        array_agg(a.attname::text) filter (
            where a.attname !~ '(sha256|digest|token|secret|password|cipher|sealed|private|email)'
              and a.atttypid = any (array[
                'text', 'bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'uuid',
                'timestamptz', 'date', 'interval'
              ]::regtype[])
        )
    into differs, harmless
    from pg_attribute as a
    left join pg_opclass as o
        on o.opcintype = a.atttypid and o.opcdefault
        and o.opcmethod = (select oid from pg_am where amname = 'btree')
    where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped
      and a.attname <> all (silent || key_columns);
    if differs is null then
        return null;
    end if;
    execute format(
        $statement$
        insert into iot.audit_log (
            organization_id, subject_kind, subject_id, action, changed, from_state, to_state,
            actor, reason, occurred_at
        )
        select
            r.organization_id, $1, r.%1$I, c.action, c.changed, c.from_state, c.to_state, $2, $3,
            $4
        from before_rows as b
        join after_rows as r on %2$s
        cross join lateral (
            select
                case when d.is_move then 'status' else 'changed' end as action,
                array_agg(d.name order by d.name) as changed,
                case when count(*) = 1 then min(d.before) end as from_state,
                case when count(*) = 1 then min(d.after) end as to_state
            from (
                select
                    name,
                    name like '%%\_status' and o.value is not null and n.value is not null
                        as is_move,
                    case when name = any ($5) then left(o.value, 200) end as before,
                    case when name = any ($5) then left(n.value, 200) end as after
                from jsonb_each_text(to_jsonb(b)) as o (name, value)
                join jsonb_each_text(to_jsonb(r)) as n (name, value) using (name)
                where o.value is distinct from n.value and name <> all ($6)
            ) as d
            -- Each state has a life of its own; everything else that was changed is one entry.
            group by d.is_move, case when d.is_move then d.name end
        ) as c
        where (%3$s) and (%4$s)
        $statement$,
        told.id_column, same_key, differs, told.recorded_if
    ) using told.subject_kind, who, why, happened, harmless, silent;
    return null;
end
$$;
comment on function iot_private.record_changes() is
    'After a statement that changed an audited table: an entry of the audit log for each row, with'
    ' the names of the columns that were changed, and what they held where there is one of them'
    ' and it is no secret.';
revoke execute on function iot_private.record_changes() from public;
