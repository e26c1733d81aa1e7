-- name: process_batch(sensors, which, measured_us, sent_values, metadata, received, active_key_id, key_ids, keys)^
-- A batch at once, readings of a sensor in order of time.
select p.duplicates, p.conflicts, p.raised, p.cleared
from iot.process_batch(
    :sensors::uuid[], :which::integer[], :measured_us::bigint[], :sent_values::float8[],
    :metadata::text[], :received::timestamptz, :active_key_id::text, :key_ids::text[],
    :keys::bytea[]
) as p;
