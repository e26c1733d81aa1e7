-- name: add_calibrations(organization_id, sensor_ids, multipliers, offsets, curves, valid_from, due)!
-- Calibrations of some sensors; a null time means always. curves: '{…}' of higher factors, or null.
insert into iot.sensor_calibrations (
    organization_id, sensor_id, multiplier, offset_value, higher_factors, valid_from, due_at, actor
)
select :organization_id::uuid, sensor_id, multiplier, offset_value, curve::float8[],
    coalesce(valid_from, '-infinity'), due_at,
    coalesce(nullif(current_setting('app.actor', true), ''), 'database:' || session_user)
from unnest(
    :sensor_ids::uuid[], :multipliers::float8[], :offsets::float8[], :curves::text[],
    :valid_from::timestamptz[], :due::timestamptz[]
) as c (sensor_id, multiplier, offset_value, curve, valid_from, due_at);

-- name: add_calibration(organization_id, sensor_id, multiplier, offset, higher, valid_from, due_at, performed_by, note)^
-- A calibration of an organization's own sensor; no row where it has no such sensor.
insert into iot.sensor_calibrations (
    organization_id, sensor_id, multiplier, offset_value, higher_factors, valid_from, due_at,
    performed_by, note, actor
)
select
    s.organization_id, s.sensor_id, :multiplier::float8, :offset::float8, :higher::float8[],
    coalesce(:valid_from::timestamptz, '-infinity'), :due_at::timestamptz, :performed_by::text,
    :note::text,
    coalesce(nullif(current_setting('app.actor', true), ''), 'database:' || session_user)
from iot.sensors as s
where s.organization_id = :organization_id and s.sensor_id = :sensor_id
returning
    calibration_id, organization_id, sensor_id, multiplier, offset_value, higher_factors,
    nullif(valid_from, '-infinity') as valid_from, due_at, performed_by, note, actor, created_at;

-- name: count_calibrations(sensor_id)$
-- How many calibrations a sensor has.
select count(*) from iot.sensor_calibrations where sensor_id = :sensor_id;

-- name: list_calibrations(sensor_id, descending, after, count)
-- A sensor's history from a time on, in the order in which the calibrations hold.
select
    c.calibration_id, c.organization_id, c.sensor_id, c.multiplier, c.offset_value,
    c.higher_factors, nullif(c.valid_from, '-infinity') as valid_from, c.due_at, c.performed_by,
    c.note, c.actor, c.created_at
from iot.sensor_calibrations as c
where c.sensor_id = :sensor_id
  and case
        when :after::timestamptz is null then true
        when :descending::boolean then c.valid_from < :after::timestamptz
        else c.valid_from > :after::timestamptz
    end
order by
    case when not :descending::boolean then c.valid_from end,
    case when :descending::boolean then c.valid_from end desc
limit :count::integer;

-- name: read_calibration(calibration_id)^
-- One calibration.
select
    calibration_id, organization_id, sensor_id, multiplier, offset_value, higher_factors,
    nullif(valid_from, '-infinity') as valid_from, due_at, performed_by, note, actor, created_at
from iot.sensor_calibrations
where calibration_id = :calibration_id;

-- name: due_calibrations(before, after, after_id, count)
-- The calibrations that are due before a time and that no later one has followed, soonest first.
select
    c.calibration_id, c.organization_id, c.sensor_id, c.multiplier, c.offset_value,
    c.higher_factors, nullif(c.valid_from, '-infinity') as valid_from, c.due_at, c.performed_by,
    c.note, c.actor, c.created_at
from iot.sensor_calibrations as c
where c.due_at < :before
  and (c.due_at, c.calibration_id) > (
      coalesce(:after::timestamptz, '-infinity'),
      coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
  )
  and not exists (
      select from iot.sensor_calibrations as later
      where later.organization_id = c.organization_id
        and later.sensor_id = c.sensor_id
        and later.valid_from > c.valid_from
  )
order by c.due_at, c.calibration_id
limit :count::integer;
