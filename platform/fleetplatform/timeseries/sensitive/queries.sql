-- name: store_sensitive(high, low, measured_us, sensor_values, sent_values, qualities, metadata, received, key_id, key)!
-- Readings of sensitive sensors, encrypted.
select iot.store_sensitive(
    :high::bigint[], :low::bigint[], :measured_us::bigint[], :sensor_values::float8[],
    :sent_values::float8[], :qualities::smallint[], :metadata::text[], :received::timestamptz,
    :key_id::text, :key::bytea
);

-- name: compare_sensitive(high, low, measured_us, sensor_types, sent_values, key_ids, keys)
-- Which of these readings are stored, by place in the arrays, and whether with the same value.
select at, same
from iot.compare_sensitive(
    :high::bigint[], :low::bigint[], :measured_us::bigint[], :sensor_types::smallint[],
    :sent_values::float8[], :key_ids::text[], :keys::bytea[]
);

-- name: rotate_keys(key_id, rows_max, key_ids, keys)^
-- Encrypt the next readings anew.
select seen, changed, unreadable, finished
from iot.rotate_keys(:key_id::text, :rows_max::integer, :key_ids::text[], :keys::bytea[]);

-- name: is_sensor(sensor_id)$
-- Whether the tenant sees a sensor.
select exists (select from iot.sensors where sensor_id = :sensor_id);

-- name: sensitive_readings(sensor_id, measured_from, measured_to, count, key_ids, keys)
-- The oldest readings of a sensitive sensor that the tenant sees, decrypted; in no order, for a sort
-- could write them into a temporary file.
select
    d.measurement_timestamp, d.received_at, d.data_quality, v.sensor_value, v.sent_value,
    v.metadata
from (
    select
        r.sensor_id, r.measurement_timestamp, r.received_at, r.data_quality, r.value_encrypted
    from iot.sensors as s
    join iot.sensor_data as r
        on r.sensor_id = s.sensor_id and r.sensor_type = s.sensor_type
    where s.sensor_id = :sensor_id
      and r.measurement_timestamp >= :measured_from
      and r.measurement_timestamp < :measured_to
      and r.value_encrypted is not null
    order by r.measurement_timestamp
    limit :count
) as d
cross join lateral iot.decrypt_sensor_value(
    d.value_encrypted, d.sensor_id, d.measurement_timestamp, :key_ids::text[], :keys::bytea[]
) as v;
