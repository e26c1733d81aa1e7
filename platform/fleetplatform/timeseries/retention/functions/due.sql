-- What is due, of readings in tables that the worker may not look into.

create or replace function iot_private.retention_of_sensors() returns table (
    sensor_id uuid, keep_days integer, action text, is_quota boolean
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    -- A sensor under a policy of its own is not under that of its type, whatever either says.
    with held as (
        select
            s.sensor_id, s.sensitive, q.storage_days, p.keep_days, p.action,
            -- A sensitive sensor's readings are in no archive: they stay until they are deleted.
            p.action is not null and not (s.sensitive and p.action = 'archive') as has_policy
        from iot.sensors as s
        join iot.devices as d using (organization_id, device_id)
        join iot.device_types as t using (device_type_id)
        left join iot.organization_quotas as q on q.organization_id = s.organization_id
        left join lateral (
            select one.keep_days, one.action
            from iot.data_retention_policies as one
            where one.organization_id = s.organization_id
              and coalesce(one.sensor_id = s.sensor_id, true)
              and coalesce(one.sensor_type = s.sensor_type, true)
              and coalesce(one.device_type = t.name, true)
            order by one.sensor_id is null, one.sensor_type is null, one.device_type is null
            limit 1
        ) as p on true
        where s.organization_id in (
            select organization_id from iot.data_retention_policies
            union
            select organization_id from iot.organization_quotas where storage_days is not null
        )
    )
    select
        sensor_id,
        case when has_policy then least(keep_days, storage_days) else storage_days end,
        case
            when has_policy and keep_days <= coalesce(storage_days, keep_days) then action
            else 'delete'
        end,
        not (has_policy and keep_days <= coalesce(storage_days, keep_days))
    from held
    where has_policy or storage_days is not null
$$;
comment on function iot_private.retention_of_sensors() is
    'What becomes of the readings of each sensor that any policy or quota reaches. is_quota: it is'
    ' the organization''s storage_days that ends them.';

create or replace function iot.retention_state(out today date, out state text, out keep_days integer)
language sql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
    with kept as (
        select p.keep_days, p.revision from iot.data_retention_policies as p
        union all
        select q.storage_days, q.revision from iot.organization_quotas as q
        where q.storage_days is not null
    )
    select
        iot.now()::date,
        concat_ws(' ', iot.now()::date, max(revision), count(*)),
        min(kept.keep_days)
    from kept
$$;
comment on function iot.retention_state() is
    'The day in virtual time, the policies of now in one word, and the shortest time that any keeps'
    ' readings; null without any.';
grant execute on function iot.retention_state() to iot_worker;

create or replace function iot.retention_spans(before timestamptz, seen text)
returns table (relation text, span_from timestamptz, span_to timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    layout iot.storage_layout;
    step interval;
begin
    select * into strict layout from iot.storage_layout;
    step := ('1 ' || coalesce(layout.range_unit, 'month'))::interval;
    return query
    select found.name, found.lower_bound, found.lower_bound + step
    from (
        select c.relname::text as name, to_timestamp(
            substring(c.relname from '^sensor_data_(\d{4}_\d\d(_\d\d)?)'), case layout.range_unit
                when 'month' then 'YYYY_MM' else 'YYYY_MM_DD'
            end
        ) as lower_bound
        from pg_partition_tree('iot.sensor_data') as t
        join pg_class as c on c.oid = t.relid
        where t.isleaf and layout.range_unit is not null and c.relname !~ '_default$'
        union all
        select 'sensor_data', month
        from generate_series(
            (
                select date_trunc('month', min(measurement_timestamp)) from iot.sensor_data
                where layout.range_unit is null
            ),
            before, step
        ) as month
    ) as found (name, lower_bound)
    left join iot.retention_surveys as s
        on s.relation = found.name and s.span_from = found.lower_bound
    where found.lower_bound < before and s.surveyed_for is distinct from seen
    order by found.lower_bound, found.name;
end
$$;
comment on function iot.retention_spans(timestamptz, text) is
    'The parts of sensor_data that begin before a time and were not looked through in the state of'
    ' policies `seen`, the oldest first.';
grant execute on function iot.retention_spans(timestamptz, text) to iot_worker;

create or replace function iot_private.readings_relation(relation text) returns regclass
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if relation !~ '^(sensor_data|retired_)' then
        raise exception 'no readings are kept in %', relation;
    end if;
    return format('iot.%I', relation)::regclass;
end
$$;
comment on function iot_private.readings_relation(text) is
    'sensor_data, a partition of it, or one that was taken out of it.';

create or replace function iot.survey_readings(
    relation text, span_from timestamptz, span_to timestamptz
) returns table (
    organization_id uuid, sensor_type smallint, action text, keep_days integer, is_quota boolean,
    sensors uuid[], reading_count bigint, first_at timestamptz, sealed_count bigint,
    is_pinned boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query execute format(
        $query$
        with held as (
            select
                organization_id, sensor_type, sensor_id, count(*) as readings,
                min(measurement_timestamp) as first_at, count(value_encrypted) as sealed
            from %s
            where measurement_timestamp >= $1 and measurement_timestamp < $2
            group by organization_id, sensor_type, sensor_id
        )
        select
            h.organization_id, h.sensor_type, r.action, r.keep_days, coalesce(r.is_quota, false),
            array_agg(h.sensor_id), sum(h.readings)::bigint, min(h.first_at),
            sum(h.sealed)::bigint, exists (
                select from iot.archive_manifests as m
                where m.organization_id = h.organization_id
                  and m.sensor_type = h.sensor_type
                  and m.pinned_until > iot.now()
                  and m.span_from < $2 and m.span_to > $1
            )
        from held as h
        left join iot_private.retention_of_sensors() as r using (sensor_id)
        group by h.organization_id, h.sensor_type, r.action, r.keep_days, r.is_quota
        $query$,
        iot_private.readings_relation(relation)
    ) using span_from, span_to;
end
$$;
comment on function iot.survey_readings(text, timestamptz, timestamptz) is
    'What a part of sensor_data holds, by what is to become of it; a null action: it stays.';
grant execute on function iot.survey_readings(text, timestamptz, timestamptz) to iot_worker;

create or replace function iot.readings_by_hour(
    relation text, span_from timestamptz, span_to timestamptz, organization uuid,
    type_code smallint, chosen uuid[]
) returns table (hour_at timestamptz, reading_count bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query execute format(
        'select date_bin(''1 hour'', measurement_timestamp, ''2000-01-01T00:00Z''), count(*)'
        ' from %s where measurement_timestamp >= $1 and measurement_timestamp < $2'
        ' and organization_id = $3 and sensor_type = $4'
        ' and ($5 is null or sensor_id = any ($5)) group by 1 order by 1',
        iot_private.readings_relation(relation)
    ) using span_from, span_to, organization, type_code, chosen;
end
$$;
comment on function iot.readings_by_hour(
    text, timestamptz, timestamptz, uuid, smallint, uuid[]
) is 'How many readings of an organization and a type each hour has.';
grant execute on function iot.readings_by_hour(
    text, timestamptz, timestamptz, uuid, smallint, uuid[]
) to iot_worker;
