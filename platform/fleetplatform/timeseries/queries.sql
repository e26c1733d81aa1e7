-- name: find_stored(high, low, measured_us, sensor_types)
-- Which of these readings are stored, by place in the arrays, and the value each came with.
select at, stored_value
from iot.find_stored(
    :high::bigint[], :low::bigint[], :measured_us::bigint[], :sensor_types::smallint[]
);

-- name: ensure_partition(measured, sensor_type)$
-- Whether the partition of such readings is there.
select iot.ensure_partition(:measured::timestamptz, :sensor_type::smallint);

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
