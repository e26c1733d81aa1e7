-- name: process(sensors, measured, sent_values, metadata, received, active_key_id, key_ids, keys)
-- The document's function, called for each reading in the order given.
select p.duplicate, p.conflict, p.raised, p.cleared
from unnest(
    :sensors::uuid[], :measured::timestamptz[], :sent_values::float8[], :metadata::text[]
) with ordinality as r (sensor_id, measured_at, sent_value, metadata, position)
cross join lateral iot.process_sensor_data(
    r.sensor_id, r.measured_at, r.sent_value, r.metadata::jsonb, :received,
    :active_key_id::text, :key_ids::text[], :keys::bytea[]
) as p
order by r.position;
