-- name: enter_tenant(organization_id)!
-- For this transaction, as the platform's own requests do.
select
    set_config('app.organization_id', :organization_id::uuid::text, true),
    set_config('app.organization_ids', iot.visible_organizations(:organization_id::uuid), true);

-- name: known_sensors(organization_id, since, until)
-- Sensors that measured something in a span, with type and device.
select distinct sensor_id, sensor_type, device_id
from iot.sensor_data
where organization_id = :organization_id
  and measurement_timestamp >= :since
  and measurement_timestamp < :until
order by 1;

-- name: row_count()$
-- Everything that is stored.
select count(*) from iot.sensor_data;

-- name: range_unit()$
-- The span of a partition; null where the table has none.
select range_unit from iot.storage_layout;

-- name: sensor_types()$
-- Types that sensors have, or readings of the newest statistics.
select array(
    select sensor_type from iot.sensors
    union
    select unnest(most_common_vals::text::smallint[]) from pg_stats
    where schemaname = 'iot' and tablename = 'sensor_data' and attname = 'sensor_type'
    order by 1
);

-- name: leaf_count()$
-- Tables that hold rows or may.
select count(*) from pg_partition_tree('iot.sensor_data') where isleaf;

-- name: ensure_partition(measured, sensor_type)$
-- Whether such readings have their partition now.
select iot.ensure_partition(:measured::timestamptz, :sensor_type::smallint);

-- name: oldest_span(before)^
-- The oldest span that ended before a time, with what the statistics say of its rows.
select
    c.oid::regclass::text as name,
    (
        select greatest(sum(greatest(leaf.reltuples, 0)), 0)::bigint
        from pg_partition_tree(c.oid) as t
        join pg_class as leaf on leaf.oid = t.relid
        where t.isleaf
    ) as row_count
from pg_inherits as i
join pg_class as c on c.oid = i.inhrelid
cross join lateral (
    select regexp_match(
        pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)'
    ) as ends
) as b
where i.inhparent = 'iot.sensor_data'::regclass
  and b.ends[2]::timestamptz <= :before
order by b.ends[1]::timestamptz
limit 1;

-- name: drop_statement(name)$
-- How a span is detached and dropped.
select format(
    'alter table iot.sensor_data detach partition %1$s; drop table %1$s',
    :name::text::regclass
);

-- name: ingest_waits_s()$
-- How long a session of ingest has waited for a lock by now, the longest; null if none does.
select extract(epoch from clock_timestamp() - min(l.waitstart))::float8
from pg_locks as l
join pg_stat_activity as a using (pid)
where not l.granted and a.usename = 'iot_ingest';
