-- What the worker does to the tables of readings, which are not its own.

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

create or replace function iot.retire_partition(
    partition_name text, span_from timestamptz, span_to timestamptz
) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- Whoever reads or writes meanwhile is held up no longer than this.
set lock_timeout = '300ms'
as $$
declare
    parent regclass;
    retired text := 'retired_' || replace(uuidv7()::text, '-', '');
    name text;
begin
    select inhparent::regclass into strict parent
    from pg_inherits
    where inhrelid = iot_private.readings_relation(partition_name);
    for attempt in 1..5 loop
        begin
            -- Not CONCURRENTLY, which is refused while there is a default partition.
            execute format('alter table %s detach partition iot.%I', parent, partition_name);
            execute format('alter table iot.%I rename to %I', partition_name, retired);
            -- Their names are wanted again as soon as a late reading comes.
            for name in
                select conname from pg_constraint
                where conrelid = format('iot.%I', retired)::regclass and contype in ('u', 'p')
            loop
                execute format('alter table iot.%I drop constraint %I', retired, name);
            end loop;
            for name in
                select indexrelid::regclass::text from pg_index
                where indrelid = format('iot.%I', retired)::regclass
            loop
                execute format('drop index %s', name);
            end loop;
            execute format(
                'create policy every_tenant on iot.%I to iot_worker using (true) with check (true)',
                retired
            );
            execute format('grant select on iot.%I to iot_worker', retired);
            insert into iot.retired_partitions (relation, was, span_from, span_to)
            values (retired, partition_name, span_from, span_to);
            return retired;
        exception when lock_not_available or deadlock_detected then
            perform pg_sleep(random() * 0.05 * attempt);
        end;
    end loop;
    return null;
end
$$;
comment on function iot.retire_partition(text, timestamptz, timestamptz) is
    'Take a partition out of sensor_data, under a name of its own; null where somebody kept the'
    ' table locked.';
grant execute on function iot.retire_partition(text, timestamptz, timestamptz) to iot_worker;

create or replace function iot.drop_retired(
    retired text, out file_count bigint, out reading_count bigint
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    held bigint;
    told bigint;
begin
    perform from iot.retired_partitions where relation = retired and surveyed for update;
    if not found then
        raise exception '% is no retired partition whose manifests are planned', retired;
    end if;
    perform from iot.archive_manifests as m
    where m.relation = retired and m.manifest_state <> 'verified' and not (
        m.action = 'delete' and m.manifest_state = 'detached' and m.reading_count is not null
    );
    if found then
        raise exception 'readings of % are in no verified file yet', retired;
    end if;
    execute format('select count(*) from iot.%I', retired) into held;
    select
        coalesce(sum(m.reading_count + m.duplicate_count), 0), count(m.file),
        coalesce(sum(m.reading_count) filter (where m.action = 'archive'), 0)
    into told, file_count, reading_count
    from iot.archive_manifests as m where m.relation = retired;
    if held <> told then
        raise exception '% holds % readings, and its manifests tell of %', retired, held, told;
    end if;
    update iot.archive_manifests
    set manifest_state = 'dropped', state_at = clock_timestamp()
    where relation = retired;
    delete from iot.retired_partitions where relation = retired;
    execute format('drop table iot.%I', retired);
end
$$;
comment on function iot.drop_retired(text) is
    'Drop a retired partition all of whose readings are in verified files or counted as deleted;'
    ' raises an exception if one is not. Files and readings that are now in the archive alone.';
grant execute on function iot.drop_retired(text) to iot_worker;

create or replace function iot.take_readings(manifest uuid) returns table (
    sensor_id uuid, device_id uuid, measurement_timestamp timestamptz, received_at timestamptz,
    measurement_value double precision, raw_value double precision, anomaly_score real,
    data_quality smallint, is_anomaly boolean, metadata_hash bigint, is_sealed boolean
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    m iot.archive_manifests;
begin
    select * into strict m from iot.archive_manifests where manifest_id = manifest for update;
    if m.relation <> 'sensor_data'
        or (m.action, m.manifest_state) not in (('archive', 'verified'), ('delete', 'planned'))
    then
        raise exception 'manifest % is %, so nothing is taken', manifest, m.manifest_state;
    end if;
    return query
    delete from iot.sensor_data as d
    where d.measurement_timestamp >= m.span_from
      and d.measurement_timestamp < m.span_to
      and d.organization_id = m.organization_id
      and d.sensor_type = m.sensor_type
      and (m.sensors is null or d.sensor_id = any (m.sensors))
      and (m.action = 'delete' or d.value_encrypted is null)
    returning
        d.sensor_id, d.device_id, d.measurement_timestamp, d.received_at,
        coalesce(d.measurement_value, 'NaN'), coalesce(d.raw_value, 'NaN'),
        coalesce(d.anomaly_score, 'NaN'), d.data_quality, d.is_anomaly,
        iot.metadata_hash(d.measurement_metadata), d.value_encrypted is not null;
end
$$;
comment on function iot.take_readings(uuid) is
    'Delete the readings of a manifest from sensor_data and give them; raises an exception unless'
    ' they are in a verified file or to be deleted.';
grant execute on function iot.take_readings(uuid) to iot_worker;

create or replace function iot.metadata_hash(metadata jsonb) returns bigint
language sql immutable parallel safe
return coalesce(('x' || left(md5(metadata::text), 16))::bit(64)::bigint, 0);
comment on function iot.metadata_hash(jsonb) is
    'The first 64 bits of the MD5 of a reading''s metadata as text, 0 for none: it finds out'
    ' damage, and is no secret.';
grant execute on function iot.metadata_hash(jsonb) to iot_worker;

create or replace function iot.drop_empty_spans(before timestamptz) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set lock_timeout = '300ms'
as $$
declare
    span regclass;
    fallback regclass;
    is_used boolean;
    dropped integer := 0;
begin
    for span, fallback in
        select i.inhrelid::regclass, p.partdefid::regclass
        from pg_inherits as i
        join pg_partitioned_table as p on p.partrelid = i.inhrelid
        where i.inhparent = 'iot.sensor_data'::regclass
          and to_timestamp(
              substring(i.inhrelid::regclass::text from 'sensor_data_(\d{4}_\d\d)'), 'YYYY_MM'
          ) < before - interval '1 month'
          and not exists (
              select from pg_inherits as child
              where child.inhparent = i.inhrelid and child.inhrelid <> p.partdefid
          )
    loop
        begin
            execute format('alter table iot.sensor_data detach partition %s', span);
            execute format('select exists (select from %s)', fallback) into is_used;
            if is_used then
                raise lock_not_available;
            end if;
            execute format('drop table %s', span);
            dropped := dropped + 1;
        exception when lock_not_available or deadlock_detected then
            null;
        end;
    end loop;
    return dropped;
end
$$;
comment on function iot.drop_empty_spans(timestamptz) is
    'Drop the months before a time whose types are all gone and that hold nothing; how many.';
grant execute on function iot.drop_empty_spans(timestamptz) to iot_worker;

create or replace function iot.forget_days(before timestamptz) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    one record;
    forgotten integer := 0;
begin
    for one in
        select d.organization_id, d.day from iot.organization_days as d
        where d.day < before::date and d.organization_id in (
            select p.organization_id from iot.data_retention_policies as p
            union
            select q.organization_id from iot.organization_quotas as q
            where q.storage_days is not null
        )
    loop
        perform from iot.sensor_data as r
        where r.organization_id = one.organization_id
          and r.measurement_timestamp >= one.day::timestamptz
          and r.measurement_timestamp < (one.day + 1)::timestamptz
        limit 1;
        if not found then
            delete from iot.organization_days as d
            where d.organization_id = one.organization_id and d.day = one.day;
            forgotten := forgotten + 1;
        end if;
    end loop;
    return forgotten;
end
$$;
comment on function iot.forget_days(timestamptz) is
    'Forget the days before a time of which an organization has no readings in the table any more;'
    ' how many.';
grant execute on function iot.forget_days(timestamptz) to iot_worker;
