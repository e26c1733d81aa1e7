-- name: record_reported_places(high, low, measured_us, latitudes, longitudes, latitude_type, longitude_type)$
-- Places that devices measured; how many events they made.
select iot.record_reported_places(
    :high::bigint[], :low::bigint[], :measured_us::bigint[], :latitudes::float8[],
    :longitudes::float8[], :latitude_type::smallint, :longitude_type::smallint
);

-- name: find_owner(device_id)$
-- Whose device it is, of those that are seen.
select organization_id from iot.devices where device_id = :device_id;

-- name: place_device(device_id, valid_from, latitude, longitude, altitude_m, accuracy_m)$
-- Say where a device is; false: it was somewhere else then.
select iot.place_device(
    :device_id::uuid, :valid_from::timestamptz, :latitude::float8, :longitude::float8,
    :altitude_m::float8, :accuracy_m::float8
);

-- name: find_own_device(organization_id, device_id)$
-- Whether an organization has a device, and whoever asks may see it.
select true from iot.devices where organization_id = :organization_id and device_id = :device_id;

-- name: find_place(organization_id, device_id)^
-- Where a device is.
select
    organization_id, device_id, valid_from, latitude, longitude, altitude_m, accuracy_m, source
from iot.device_places
where organization_id = :organization_id and device_id = :device_id;

-- name: find_location(organization_id, device_id, valid_from)^
-- Where a device was from a time on.
select
    organization_id, device_id, valid_from, latitude, longitude, altitude_m, accuracy_m, source
from iot.device_locations
where organization_id = :organization_id
  and device_id = :device_id
  and valid_from = :valid_from;

-- name: locations_of(organization_id, device_id, from_time, until_time, after_time, descending, count)
-- Where a device was, in order of time; each branch is one scan of the key, and one is never run.
(
    select
        organization_id, device_id, valid_from, latitude, longitude, altitude_m, accuracy_m, source
    from iot.device_locations
    where not :descending::boolean
      and organization_id = :organization_id
      and device_id = :device_id
      and valid_from >= :from_time::timestamptz
      and valid_from < :until_time::timestamptz
      and valid_from > coalesce(:after_time::timestamptz, '-infinity')
    order by valid_from
    limit :count
)
union all
(
    select
        organization_id, device_id, valid_from, latitude, longitude, altitude_m, accuracy_m, source
    from iot.device_locations
    where :descending::boolean
      and organization_id = :organization_id
      and device_id = :device_id
      and valid_from >= :from_time::timestamptz
      and valid_from < :until_time::timestamptz
      and valid_from < coalesce(:after_time::timestamptz, 'infinity')
    order by valid_from desc
    limit :count
);

-- name: places_within(souths, wests, norths, easts, latitude, longitude, radius_m, direction, after_distance, after_id, count)
-- Devices in an area with their places, by distance.
select
    f.organization_id, f.device_id, f.distance_m, d.serial_number, p.valid_from, p.latitude,
    p.longitude, p.altitude_m, p.accuracy_m, p.source
from iot.places_within(
    :souths::float8[], :wests::float8[], :norths::float8[], :easts::float8[], :latitude::float8,
    :longitude::float8, :radius_m::float8, :direction::integer, :after_distance::float8,
    :after_id::uuid, :count::bigint
) as f
join iot.device_places as p using (organization_id, device_id)
join iot.devices as d using (organization_id, device_id)
order by f.distance_m * :direction::integer, f.device_id;

-- name: add_geofence(organization_id, name, shape, latitude, longitude, radius_m, outline, south, west, north, east)^
-- A new geofence.
insert into iot.geofences (
    organization_id, name, shape, latitude, longitude, radius_m, outline, bounds
)
values (
    :organization_id, :name, :shape, :latitude::float8, :longitude::float8, :radius_m::float8,
    :outline::polygon,
    box(point(:west::float8, :south::float8), point(:east::float8, :north::float8))
)
returning organization_id, geofence_id, name, shape, created_at, revision;

-- name: find_geofence(geofence_id)^
-- One geofence, of those that are seen.
select organization_id, geofence_id, name, shape, created_at, revision
from iot.geofences
where geofence_id = :geofence_id and deleted_at is null;

-- name: list_geofences(descending, after_name, after_id, count)
-- The geofences that are seen, in order of name; an organization has a few hundred.
select organization_id, geofence_id, name, shape, created_at, revision
from iot.geofences
where deleted_at is null
  and (
      :after_id::uuid is null
      or case
          when :descending::boolean then (name, geofence_id) < (:after_name::text, :after_id)
          else (name, geofence_id) > (:after_name::text, :after_id)
      end
  )
order by
    case when not :descending then name end,
    case when not :descending then geofence_id end,
    name desc,
    geofence_id desc
limit :count;

-- name: lock_geofence(organization_id, geofence_id)^
-- One geofence of an organization, which nobody else changes meanwhile.
select organization_id, geofence_id, name, shape, created_at, revision
from iot.geofences
where organization_id = :organization_id and geofence_id = :geofence_id and deleted_at is null
for no key update;

-- name: rename_geofence(organization_id, geofence_id, name)^
-- Another name.
update iot.geofences
set name = :name
where organization_id = :organization_id and geofence_id = :geofence_id
returning organization_id, geofence_id, name, shape, created_at, revision;

-- name: reshape_geofence(organization_id, geofence_id, shape, latitude, longitude, radius_m, outline, south, west, north, east)^
-- Another area.
update iot.geofences
set shape = :shape,
    latitude = :latitude::float8,
    longitude = :longitude::float8,
    radius_m = :radius_m::float8,
    outline = :outline::polygon,
    bounds = box(point(:west::float8, :south::float8), point(:east::float8, :north::float8))
where organization_id = :organization_id and geofence_id = :geofence_id
returning organization_id, geofence_id, name, shape, created_at, revision;

-- name: delete_geofence(organization_id, geofence_id)!
-- It is no more; its events stay.
update iot.geofences
set deleted_at = clock_timestamp()
where organization_id = :organization_id and geofence_id = :geofence_id;

-- name: events_of_geofence(organization_id, geofence_id, from_time, until_time, after_time, after_id, descending, count)
-- Who crossed its border, in order of time.
(
    select organization_id, geofence_id, occurred_at, device_id, event, latitude, longitude
    from iot.geofence_events
    where not :descending::boolean
      and organization_id = :organization_id
      and geofence_id = :geofence_id
      and occurred_at >= :from_time::timestamptz
      and occurred_at < :until_time::timestamptz
      and (occurred_at, device_id) > (
          coalesce(:after_time::timestamptz, '-infinity'),
          coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
      )
    order by occurred_at, device_id
    limit :count
)
union all
(
    select organization_id, geofence_id, occurred_at, device_id, event, latitude, longitude
    from iot.geofence_events
    where :descending::boolean
      and organization_id = :organization_id
      and geofence_id = :geofence_id
      and occurred_at >= :from_time::timestamptz
      and occurred_at < :until_time::timestamptz
      and (occurred_at, device_id) < (
          coalesce(:after_time::timestamptz, 'infinity'),
          coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
      )
    order by occurred_at desc, device_id desc
    limit :count
);

-- name: events_of_device(organization_id, device_id, from_time, until_time, after_time, after_id, descending, count)
-- Which borders it crossed, in order of time.
(
    select organization_id, geofence_id, occurred_at, device_id, event, latitude, longitude
    from iot.geofence_events
    where not :descending::boolean
      and organization_id = :organization_id
      and device_id = :device_id
      and occurred_at >= :from_time::timestamptz
      and occurred_at < :until_time::timestamptz
      and (occurred_at, geofence_id) > (
          coalesce(:after_time::timestamptz, '-infinity'),
          coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
      )
    order by occurred_at, geofence_id
    limit :count
)
union all
(
    select organization_id, geofence_id, occurred_at, device_id, event, latitude, longitude
    from iot.geofence_events
    where :descending::boolean
      and organization_id = :organization_id
      and device_id = :device_id
      and occurred_at >= :from_time::timestamptz
      and occurred_at < :until_time::timestamptz
      and (occurred_at, geofence_id) < (
          coalesce(:after_time::timestamptz, 'infinity'),
          coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
      )
    order by occurred_at desc, geofence_id desc
    limit :count
);
