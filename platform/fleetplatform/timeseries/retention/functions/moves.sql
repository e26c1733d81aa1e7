-- What the worker does to the tables of readings, which are not its own.

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

create or replace function iot.put_back(
    retired text, organization uuid, type_code smallint, chosen uuid[]
) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    columns text;
    moved bigint;
begin
    perform from iot.retired_partitions where relation = retired and not surveyed for update;
    if not found then
        raise exception '% is no retired partition without manifests', retired;
    end if;
    select string_agg(quote_ident(attname), ', ') into columns
    from pg_attribute
    where attrelid = format('iot.%I', retired)::regclass and attnum > 0 and not attisdropped
      and attgenerated = '';
    execute format(
        'with moved as (delete from iot.%1$I where organization_id = $1 and sensor_type = $2'
        ' and ($3 is null or sensor_id = any ($3)) returning %2$s)'
        ' insert into iot.sensor_data (%2$s) select %2$s from moved on conflict do nothing',
        retired, columns
    ) using organization, type_code, chosen;
    get diagnostics moved = row_count;
    return moved;
end
$$;
comment on function iot.put_back(text, uuid, smallint, uuid[]) is
    'Put readings of a retired partition back into sensor_data: they are not due.';
grant execute on function iot.put_back(text, uuid, smallint, uuid[]) to iot_worker;

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
      -- What was planned is deleted only if it is still due: policies, and what came since.
      and (m.action = 'archive' or d.sensor_id in (
          select r.sensor_id from iot_private.retention_of_sensors() as r
          where r.action = 'delete'
            and m.span_to <= date_trunc('day', iot.now(), 'UTC') - make_interval(days => r.keep_days)
      ) and not exists (
          select from iot.archive_manifests as p
          where p.organization_id = m.organization_id and p.sensor_type = m.sensor_type
            and p.pinned_until > iot.now() and p.span_from < m.span_to and p.span_to > m.span_from
      ))
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
