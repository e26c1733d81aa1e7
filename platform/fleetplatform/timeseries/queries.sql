-- name: find_stored(high, low, measured_us, sensor_types)^
-- Which of these readings are stored, by place in the arrays, and the value each came with; arrays,
-- for a row of the answer costs as much as its look-up.
select coalesce(array_agg(at), '{}') as at, coalesce(array_agg(stored_value), '{}') as stored_value
from iot.find_stored(
    :high::bigint[], :low::bigint[], :measured_us::bigint[], :sensor_types::smallint[]
);

-- name: ensure_partition(measured, sensor_type, attempts)$
-- Whether the partition of such readings is there; tried so often if it is not.
select iot.ensure_partition(
    :measured::timestamptz, :sensor_type::smallint, :attempts::integer
);

-- name: note_days(organizations, days)!
-- Days of which readings of some organizations are stored from now on.
insert into iot.organization_days (organization_id, day)
select * from unnest(:organizations::uuid[], :days::date[])
on conflict do nothing;

-- name: stray_readings()
-- What lies in default partitions and has a partition to go to, by span and type.
select measured_from, sensor_type, reading_count
from iot.stray_readings()
where isfinite(measured_from);

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

-- name: make_hypertable(extension)!
-- Have the empty table cut by an extension.
select iot_private.make_hypertable(n.nspname)
from pg_extension as e
join pg_namespace as n on n.oid = e.extnamespace
where e.extname = :extension;

-- name: keep_chunks(compress_before)!
-- Compress the chunks of a hypertable that end before a time.
select iot.keep_chunks(:compress_before::timestamptz);

-- name: partitions()
-- The parts of sensor_data that hold rows, in order of name: their spans, sizes and state. needed_bytes
-- is what the live rows would take in a table without a gap: their mean width as ANALYZE found it, a
-- header of 32 bytes, rounded up to 8, a pointer of 4, in pages with 24 bytes of their own; null where
-- nothing was analysed.
select
    c.relname as name,
    pg_get_expr(c.relpartbound, c.oid) as bounds,
    greatest(c.reltuples, 0)::bigint as planned_rows,
    coalesce(pg_stat_get_live_tuples(c.oid), 0) as live_rows,
    coalesce(pg_stat_get_dead_tuples(c.oid), 0) as dead_rows,
    pg_table_size(c.oid) as table_bytes,
    pg_indexes_size(c.oid) as index_bytes,
    pg_relation_size(c.oid) as heap_bytes,
    ceil(
        greatest(c.reltuples, pg_stat_get_live_tuples(c.oid))
        * (ceil((32 + w.width) / 8) * 8 + 4) / (8192 - 24)
    )::bigint * 8192 as needed_bytes,
    iot.now() - substring(
        coalesce(
            substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(.*$'),
            substring(pg_get_expr(p.relpartbound, p.oid) from 'TO \(.*$')
        ) from '''([^'']+)'''
    )::timestamptz as age
from pg_partition_tree('iot.sensor_data') as t
join pg_class as c on c.oid = t.relid
left join pg_class as p on p.oid = t.parentrelid
left join (
    select tablename, sum(avg_width * (1 - null_frac)) as width
    from pg_stats
    where schemaname = 'iot' and not inherited
    group by tablename
) as w on w.tablename = c.relname
where t.isleaf
order by c.relname;
