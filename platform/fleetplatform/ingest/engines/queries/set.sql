-- name: process_batch(sensors, which, measured_us, sent_values, metadata, received, active_key_id, key_ids, keys, gap_intervals, stale_after, clock_skew)^
-- A batch at once, readings of a sensor in order of time.
select p.duplicates, p.conflicts, p.raised, p.cleared
from iot.process_batch(
    :sensors::uuid[], :which::integer[], :measured_us::bigint[], :sent_values::float8[],
    :metadata::text[], :received::timestamptz, :active_key_id::text, :key_ids::text[],
    :keys::bytea[], :gap_intervals::integer, :stale_after::interval, :clock_skew::interval
) as p;
