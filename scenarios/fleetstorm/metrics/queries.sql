-- name: wal_position()$
-- Bytes ever written ahead; goes on counting through a crash, which statistics do not.
select (pg_current_wal_insert_lsn() - '0/0')::bigint;

-- name: waits()
-- What the sessions at work wait for at this moment; "CPU" where they wait for nothing.
select coalesce(wait_event_type || ':' || wait_event, 'CPU') as event, count(*) as sessions
from pg_stat_activity
where state = 'active'
  and backend_type = 'client backend'
  and pid <> pg_backend_pid()
group by 1;

-- name: heap_bytes()
-- Size of sensor_data's heap, by partition.
select relation::oid::bigint as relation, pg_table_size(relation) as bytes
from (
    select to_regclass('iot.sensor_data')
    union
    select relid from pg_partition_tree(to_regclass('iot.sensor_data'))
) as storage (relation)
where relation is not null;

-- name: index_bytes()
-- Size of each index of sensor_data, by partition. Those of partitions carry the name of the index
-- that they belong to, or what their name says beyond that of their table.
select
    owner.oid::bigint as relation,
    coalesce(
        regexp_replace(root.relname, '^sensor_data_', ''),
        case
            when starts_with(part.relname, owner.relname || '_')
            then substr(part.relname, length(owner.relname) + 2)
            else part.relname
        end
    ) as index_name,
    sum(pg_relation_size(part.oid))::bigint as bytes
from (
    select to_regclass('iot.sensor_data')
    union
    select relid from pg_partition_tree(to_regclass('iot.sensor_data'))
) as storage (relation)
join pg_class as owner on owner.oid = storage.relation
join pg_index as i on i.indrelid = storage.relation
join pg_class as part on part.oid = i.indexrelid
left join pg_class as root on root.oid = pg_partition_root(i.indexrelid)
where part.relkind = 'i'
group by 1, 2
order by 2, 1;
