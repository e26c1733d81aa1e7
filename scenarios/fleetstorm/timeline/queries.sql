-- name: spans()
-- The partitions of sensor_data that hold a span of time: its bounds, and the leaves they consist of.
select
    span.relname as name,
    substring(
        pg_get_expr(span.relpartbound, span.oid) from 'FROM \(''([^'']+)''\)'
    )::timestamptz as lower_bound,
    substring(
        pg_get_expr(span.relpartbound, span.oid) from 'TO \(''([^'']+)''\)'
    )::timestamptz as upper_bound,
    (
        select array_agg(leaf.relid::text order by leaf.relid::text)
        from pg_partition_tree(span.oid) as leaf
        where leaf.isleaf
    ) as leaves
from pg_inherits as i
join pg_class as span on span.oid = i.inhrelid
where i.inhparent = 'iot.sensor_data'::regclass
  and pg_get_expr(span.relpartbound, span.oid) like 'FOR VALUES FROM%'
order by lower_bound;

-- name: defaults()
-- The default partitions of sensor_data, on every level.
select c.oid::regclass::text as relation
from pg_partition_tree('iot.sensor_data') as t
join pg_class as c on c.oid = t.relid
where t.isleaf and c.relispartition and pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT';

-- name: counts(relations)
-- How many rows some tables hold, each asked by itself, for nothing else must be read.
select
    relation,
    substring(
        query_to_xml(format('select count(*) as n from %s', relation::regclass), false, true, '')::text
        from '<n>(\d+)</n>'
    )::bigint as row_count
from unnest(:relations::text[]) as relation;

-- name: drop_statement(name)$
-- The statement that drops a partition.
select format('drop table iot.%I', :name::text);

-- name: limit_waiting()!
-- A lock that is not to be had is soon given up.
set lock_timeout = '3s';

-- name: keep_default()!
-- As somebody does who reads all readings for long, to the end of the transaction.
lock table only iot.sensor_data_default in access share mode;

-- name: take_default()!
-- What making a partition needs.
lock table only iot.sensor_data_default in access exclusive mode nowait;
