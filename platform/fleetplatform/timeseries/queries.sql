-- name: find_stored(high, low, measured_us, sensor_types)
-- Which of these readings are stored, by place in the arrays, and the value each came with.
select at, stored_value
from iot.find_stored(
    :high::bigint[], :low::bigint[], :measured_us::bigint[], :sensor_types::smallint[]
);

-- name: ensure_partition(measured, sensor_type)$
-- Whether the partition of such readings is there.
select iot.ensure_partition(:measured::timestamptz, :sensor_type::smallint);

-- name: note_days(organizations, days)!
-- Days of which readings of some organizations are stored from now on.
insert into iot.organization_days (organization_id, day)
select * from unnest(:organizations::uuid[], :days::date[])
on conflict do nothing;

-- name: stray_readings()
-- What lies in default partitions, by span and type.
select measured_from, sensor_type, reading_count from iot.stray_readings();

-- name: sensor_types()
-- Types of the sensors that exist.
select distinct sensor_type from iot.sensors order by sensor_type;

-- name: storage_layout()^
-- How sensor_data is stored; no row before that is decided.
select kind, range_unit, split_by_type, indexes from iot.storage_layout;

-- name: has_readings()$
-- Whether anything is stored.
select exists (select from iot.sensor_data);

-- name: drop_storage()!
-- Forget how sensor_data is stored, with the empty table.
select iot_private.drop_storage();

-- name: make_storage(kind, range_unit, split_by_type, of_document, indexes)!
-- Make sensor_data and write down how.
select iot_private.make_storage(
    :kind::text, :range_unit::text, :split_by_type::boolean, :of_document::boolean,
    :indexes::text[]
);

-- name: partitions()
-- The parts of sensor_data that hold rows, in order of name: their spans, sizes and state.
select
    c.relname as name,
    pg_get_expr(c.relpartbound, c.oid) as bounds,
    greatest(c.reltuples, 0)::bigint as planned_rows,
    coalesce(s.n_live_tup, 0) as live_rows,
    coalesce(s.n_dead_tup, 0) as dead_rows,
    pg_table_size(c.oid) as table_bytes,
    pg_indexes_size(c.oid) as index_bytes,
    iot.now() - substring(
        coalesce(
            substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(.*$'),
            substring(pg_get_expr(p.relpartbound, p.oid) from 'TO \(.*$')
        ) from '''([^'']+)'''
    )::timestamptz as age
from pg_partition_tree('iot.sensor_data') as t
join pg_class as c on c.oid = t.relid
left join pg_class as p on p.oid = t.parentrelid
left join pg_stat_user_tables as s on s.relid = c.oid
where t.isleaf
order by c.relname;
