-- name: recalibrate(organization_id, sensor_id, measured_after, measured_before, rows_max)^
-- The next stored readings of a sensor by the calibrations of now.
select done_through, rows_seen, rows_changed
from iot.recalibrate(
    :organization_id::uuid, :sensor_id::uuid, :measured_after::timestamptz,
    :measured_before::timestamptz, :rows_max::integer
);
