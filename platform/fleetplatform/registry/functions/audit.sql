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
    silent text[] := array['revision', 'created_at'];
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
