-- name: add_sensors(organization_id, sensor_ids, device_ids, specification_at, names, positions, types, units, minima, maxima, resolutions, intervals_s, rates, flat_after_s, sensitive)!
-- Sensors of some devices; `specification_at` says, from 1, which of the specifications each has.
insert into iot.sensors (
    organization_id, sensor_id, device_id, name, position, sensor_type, unit, value_min,
    value_max, resolution, sampling_interval, rate_max, flat_after, sensitive
)
select
    :organization_id::uuid, s.sensor_id, s.device_id, p.name, p.position, p.sensor_type, p.unit,
    p.value_min, p.value_max, p.resolution, make_interval(secs => p.interval_s), p.rate_max,
    make_interval(secs => p.flat_after_s), p.sensitive
from unnest(:sensor_ids::uuid[], :device_ids::uuid[], :specification_at::int[])
    as s (sensor_id, device_id, specification_at)
join unnest(
    :names::text[], :positions::smallint[], :types::smallint[], :units::text[],
    :minima::float8[], :maxima::float8[], :resolutions::float8[], :intervals_s::float8[],
    :rates::float8[], :flat_after_s::float8[], :sensitive::boolean[]
) with ordinality as p (
    name, position, sensor_type, unit, value_min, value_max, resolution, interval_s, rate_max,
    flat_after_s, sensitive, specification_at
) using (specification_at);

-- name: list_sensors(device_id, sensor_type, sensor_status, due_before, descending, after_id, count)
-- Sensors in order of id, with filters where they are given.
select
    s.sensor_id, s.organization_id, s.device_id, s.name, s.sensor_type, s.unit, s.value_min,
    s.value_max, s.resolution, extract(epoch from s.sampling_interval)::float8 as interval_s,
    s.rate_max, extract(epoch from s.flat_after)::float8 as flat_after_s, s.sensitive,
    s.sensor_status, s.revision
from iot.sensors as s
where case
        when :descending::boolean then s.sensor_id < :after_id::uuid
        else s.sensor_id > :after_id::uuid
    end
  and (:device_id::uuid is null or s.device_id = :device_id::uuid)
  and (:sensor_type::smallint is null or s.sensor_type = :sensor_type::smallint)
  and (:sensor_status::text is null or s.sensor_status = :sensor_status::text)
  and (:due_before::timestamptz is null or (
      select c.due_at
      from iot.sensor_calibrations as c
      where c.organization_id = s.organization_id and c.sensor_id = s.sensor_id
      order by c.valid_from desc
      limit 1
  ) < :due_before::timestamptz)
order by
    case when not :descending::boolean then s.sensor_id end,
    case when :descending::boolean then s.sensor_id end desc
limit :count::integer;

-- name: read_sensor(sensor_id)^
-- One sensor.
select
    sensor_id, organization_id, device_id, name, sensor_type, unit, value_min, value_max,
    resolution, extract(epoch from sampling_interval)::float8 as interval_s, rate_max,
    extract(epoch from flat_after)::float8 as flat_after_s, sensitive, sensor_status, revision
from iot.sensors
where sensor_id = :sensor_id;

-- name: lock_sensor(organization_id, sensor_id)$
-- The revision of an organization's own sensor, which nobody changes until the transaction ends.
select revision from iot.sensors
where organization_id = :organization_id and sensor_id = :sensor_id
for no key update;

-- name: set_sensor_status(organization_id, sensor_id, sensor_status)!
-- A sensor's new status.
update iot.sensors set sensor_status = :sensor_status
where organization_id = :organization_id and sensor_id = :sensor_id
  and sensor_status <> :sensor_status;

-- name: sensors_of(organization_id, device_id)
-- The sensors of a device in the order of its type.
select name, sensor_id from iot.sensors
where organization_id = :organization_id and device_id = :device_id
order by position, sensor_id;
