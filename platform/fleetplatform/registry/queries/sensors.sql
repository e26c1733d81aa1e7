-- name: add_sensors(organization_id, sensor_ids, device_ids, specification_at, names, positions, types, units, minima, maxima, resolutions)!
-- Sensors of some devices; `specification_at` says, from 1, which of the specifications each has.
insert into iot.sensors (
    organization_id, sensor_id, device_id, name, position, sensor_type, unit, value_min,
    value_max, resolution
)
select
    :organization_id::uuid, s.sensor_id, s.device_id, p.name, p.position, p.sensor_type, p.unit,
    p.value_min, p.value_max, p.resolution
from unnest(:sensor_ids::uuid[], :device_ids::uuid[], :specification_at::int[])
    as s (sensor_id, device_id, specification_at)
join unnest(
    :names::text[], :positions::smallint[], :types::smallint[], :units::text[],
    :minima::float8[], :maxima::float8[], :resolutions::float8[]
) with ordinality as p (
    name, position, sensor_type, unit, value_min, value_max, resolution, specification_at
) using (specification_at);

-- name: add_calibrations(organization_id, sensor_ids, multipliers, offsets, valid_from)!
-- Calibrations of some sensors; a null time means always.
insert into iot.sensor_calibrations (
    organization_id, sensor_id, multiplier, offset_value, valid_from
)
select :organization_id::uuid, sensor_id, multiplier, offset_value,
    coalesce(valid_from, '-infinity')
from unnest(
    :sensor_ids::uuid[], :multipliers::float8[], :offsets::float8[], :valid_from::timestamptz[]
) as c (sensor_id, multiplier, offset_value, valid_from);

-- name: sensors_of(organization_id, device_id)
-- The sensors of a device in the order of its type.
select name, sensor_id from iot.sensors
where organization_id = :organization_id and device_id = :device_id
order by position, sensor_id;
