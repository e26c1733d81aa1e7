create or replace function iot_private.cross_geofences(
    organizations uuid[], devices uuid[], measured timestamptz[], latitudes double precision[],
    longitudes double precision[]
) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    events bigint;
begin
    -- Islands of hits: the numbers of a device's fixes in one geofence without a gap. Nothing is
    -- joined but by an index, so a plan that expects few fixes does no harm.
    with fix as materialized (
        select
            f.*,
            row_number() over course as place_no,
            lead(f.measured_at) over course as next_at,
            lead(f.latitude) over course as next_latitude,
            lead(f.longitude) over course as next_longitude
        from unnest(organizations, devices, measured, latitudes, longitudes)
            as f (organization_id, device_id, measured_at, latitude, longitude)
        join iot.device_places as p using (organization_id, device_id)
        where f.measured_at > p.valid_from
        window course as (partition by f.organization_id, f.device_id order by f.measured_at)
    ), hit as materialized (
        select
            f.*,
            g.geofence_id,
            lag(f.place_no) over stay as last_no,
            lead(f.place_no) over stay as next_no
        from fix as f
        join iot.geofences as g
            on g.organization_id = f.organization_id
            and g.deleted_at is null
            and g.bounds @> box(point(f.longitude, f.latitude))
        where iot_private.is_in_geofence(
            g.latitude, g.longitude, g.radius_m, g.outline, f.latitude, f.longitude
        )
        window stay as (
            partition by f.organization_id, f.device_id, g.geofence_id order by f.measured_at
        )
    ), present as materialized (
        select f.*, g.geofence_id, iot_private.is_in_geofence(
            g.latitude, g.longitude, g.radius_m, g.outline, f.latitude, f.longitude
        ) as stays
        from fix as f
        join iot.geofence_presences as s using (organization_id, device_id)
        join iot.geofences as g using (organization_id, geofence_id)
        where (f.place_no = 1 or f.next_at is null) and g.deleted_at is null
    ), made as (
        insert into iot.geofence_events (
            organization_id, geofence_id, occurred_at, device_id, event, latitude, longitude
        )
        select organization_id, geofence_id, measured_at, device_id, 'enter', latitude, longitude
        from hit as h
        where (last_no is null or last_no < place_no - 1)
          and not (place_no = 1 and exists (
              select
              from iot.geofence_presences as s
              where s.organization_id = h.organization_id
                and s.device_id = h.device_id
                and s.geofence_id = h.geofence_id
          ))
        union all
        select
            organization_id, geofence_id, next_at, device_id, 'leave', next_latitude, next_longitude
        from hit
        where next_at is not null and (next_no is null or next_no > place_no + 1)
        union all
        select organization_id, geofence_id, measured_at, device_id, 'leave', latitude, longitude
        from present
        where place_no = 1 and not stays
        returning 1
    ), entered as (
        insert into iot.geofence_presences (organization_id, device_id, geofence_id)
        select organization_id, device_id, geofence_id from hit where next_at is null
        on conflict do nothing
    ), gone as (
        delete from iot.geofence_presences as s
        using present as p
        where p.next_at is null
          and not p.stays
          and s.organization_id = p.organization_id
          and s.device_id = p.device_id
          and s.geofence_id = p.geofence_id
    )
    select count(*) into events from made;
    return events;
end
$$;
comment on function iot_private.cross_geofences(
    uuid[], uuid[], timestamptz[], double precision[], double precision[]
) is
    'Events of fixes that are newer than their devices'' places; called with these rows locked.';

create or replace function iot_private.record_fixes(
    organizations uuid[], devices uuid[], measured timestamptz[], latitudes double precision[],
    longitudes double precision[], altitudes double precision[], accuracies double precision[],
    origin text
) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    events bigint;
begin
    -- A device without a place gets one that any fix is newer than: then each has a row to lock,
    -- and who else records a fix of it waits here. In order, so that two never wait for each other.
    insert into iot.device_places (
        organization_id, device_id, valid_from, latitude, longitude, source
    )
    select distinct on (f.organization_id, f.device_id)
        f.organization_id, f.device_id, '-infinity', f.latitude, f.longitude, origin
    from unnest(organizations, devices, latitudes, longitudes)
        as f (organization_id, device_id, latitude, longitude)
    order by f.organization_id, f.device_id
    on conflict do nothing;
    perform
    from iot.device_places as p
    where (p.organization_id, p.device_id) in (select * from unnest(organizations, devices))
    order by p.organization_id, p.device_id
    for no key update;

    insert into iot.device_locations (
        organization_id, device_id, valid_from, latitude, longitude, altitude_m, accuracy_m, source
    )
    select f.*, origin
    from unnest(
        organizations, devices, measured, latitudes, longitudes, altitudes, accuracies
    ) as f
    on conflict do nothing;

    -- The place as it was is what tells late fixes, so it moves last.
    events := iot_private.cross_geofences(
        organizations, devices, measured, latitudes, longitudes
    );
    update iot.device_places as p
    set valid_from = n.measured_at,
        latitude = n.latitude,
        longitude = n.longitude,
        altitude_m = n.altitude_m,
        accuracy_m = n.accuracy_m,
        source = origin
    from (
        select distinct on (f.organization_id, f.device_id) f.*
        from unnest(
            organizations, devices, measured, latitudes, longitudes, altitudes, accuracies
        ) as f (
            organization_id, device_id, measured_at, latitude, longitude, altitude_m, accuracy_m
        )
        order by f.organization_id, f.device_id, f.measured_at desc
    ) as n
    where p.organization_id = n.organization_id
      and p.device_id = n.device_id
      and n.measured_at > p.valid_from;
    return events;
end
$$;
comment on function iot_private.record_fixes(
    uuid[], uuid[], timestamptz[], double precision[], double precision[], double precision[],
    double precision[], text
) is
    'Fixes, no two of one device at one time: into the history once, the newest as place, borders'
    ' crossed as events; how many events. A fix older than the place makes none.';

create or replace function iot_private.stored_value(
    organization uuid, device uuid, type_code smallint, measured timestamptz
) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- By the unique key, whatever the statistics of a table that fills up may say.
set enable_seqscan = off
as $$
begin
    return (
        select r.measurement_value
        from iot.sensors as s
        cross join lateral (
            select d.measurement_value
            from iot.sensor_data as d
            where d.sensor_id = s.sensor_id
              and d.measurement_timestamp = measured
              and d.sensor_type = type_code
            limit 1
        ) as r
        where s.organization_id = organization
          and s.device_id = device
          and s.sensor_type = type_code
        order by s.position
        limit 1
    );
end
$$;
comment on function iot_private.stored_value(uuid, uuid, smallint, timestamptz) is
    'What a device measured at a time with its first sensor of a type that did; null: none did.';

create or replace function iot.record_reported_places(
    high bigint[], low bigint[], measured_us bigint[], latitudes double precision[],
    longitudes double precision[], latitude_type smallint, longitude_type smallint
) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    epoch constant timestamptz := '1970-01-01T00:00:00Z';
    organizations uuid[];
    devices uuid[];
    measured timestamptz[];
    latitude double precision[];
    longitude double precision[];
    unknown double precision[];
begin
    select
        array_agg(whole.organization_id), array_agg(whole.device_id),
        array_agg(whole.measured_at),
        -- What is smaller than a tenth of a millimetre is no place, and no number to square.
        array_agg(round(whole.latitude::numeric, 9)::double precision),
        array_agg(round(whole.longitude::numeric, 9)::double precision),
        array_agg(null::double precision)
    into organizations, devices, measured, latitude, longitude, unknown
    from (
        select
            d.organization_id,
            d.device_id,
            g.measured_at,
            coalesce(nullif(g.latitude, 'nan'), iot_private.stored_value(
                d.organization_id, d.device_id, latitude_type, g.measured_at
            )) as latitude,
            coalesce(nullif(g.longitude, 'nan'), iot_private.stored_value(
                d.organization_id, d.device_id, longitude_type, g.measured_at
            )) as longitude
        from (
            select
                (lpad(to_hex(r.high), 16, '0') || lpad(to_hex(r.low), 16, '0'))::uuid as device_id,
                epoch + r.us * interval '1 microsecond' as measured_at,
                r.latitude,
                r.longitude
            from unnest(high, low, measured_us, latitudes, longitudes)
                as r (high, low, us, latitude, longitude)
        ) as g
        join iot.devices as d using (device_id)
    ) as whole
    where whole.latitude between -90 and 90 and whole.longitude between -180 and 180;
    if devices is null then
        return 0;
    end if;
    return iot_private.record_fixes(
        organizations, devices, measured, latitude, longitude, unknown, unknown, 'reported'
    );
end
$$;
comment on function iot.record_reported_places(
    bigint[], bigint[], bigint[], double precision[], double precision[], smallint, smallint
) is
    'Places that devices measured, in the transaction of their readings: a half that is NaN is the'
    ' stored reading of that type and time, and a fix without it is none; how many events.';
grant execute on function iot.record_reported_places(
    bigint[], bigint[], bigint[], double precision[], double precision[], smallint, smallint
) to iot_ingest;

create or replace function iot.place_device(
    device uuid, since timestamptz, latitude double precision, longitude double precision,
    altitude double precision, accuracy double precision
) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    owner constant uuid := (
        select d.organization_id
        from iot.devices as d
        where d.device_id = device
          and d.organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    );
begin
    if owner is null then
        return null;
    end if;
    perform iot_private.record_fixes(
        array[owner], array[device], array[since], array[latitude], array[longitude],
        array[altitude], array[accuracy], 'api'
    );
    return (
        select (l.latitude, l.longitude, l.altitude_m, l.accuracy_m)
            is not distinct from (place_device.latitude, place_device.longitude, altitude, accuracy)
        from iot.device_locations as l
        where l.organization_id = owner and l.device_id = device and l.valid_from = since
    );
end
$$;
comment on function iot.place_device(
    uuid, timestamptz, double precision, double precision, double precision, double precision
) is
    'Says where a device of the transaction''s organization is; false: it has another place at that'
    ' time, null: the organization has no such device.';
grant execute on function iot.place_device(
    uuid, timestamptz, double precision, double precision, double precision, double precision
) to iot_api;

create or replace function iot.places_within(
    souths double precision[], wests double precision[], norths double precision[],
    easts double precision[], origin_latitude double precision, origin_longitude double precision,
    radius_m double precision, direction integer, after_distance double precision, after_id uuid,
    count bigint
) returns table (organization_id uuid, device_id uuid, distance_m double precision)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- Row security keeps operators that are not leakproof, as those of points, away from the index:
-- so this function looks past it, and holds the same limits itself.
as $$
declare
    visible constant uuid[] := string_to_array(
        nullif(current_setting('app.organization_ids', true), ''), ','
    )::uuid[];
    groups constant uuid[] := string_to_array(
        nullif(current_setting('app.device_groups', true), ''), ','
    )::uuid[];
begin
    return query
    select c.organization_id, c.device_id, c.away_m
    from (
        select
            p.organization_id,
            p.device_id,
            iot.distance_m(origin_latitude, origin_longitude, p.latitude, p.longitude) as away_m
        from unnest(souths, wests, norths, easts) as b (south, west, north, east)
        join iot.device_places as p
            on p.place <@ box(point(b.west, b.south), point(b.east, b.north))
        where p.organization_id = any (visible)
          and (groups is null or p.device_id in (
              select m.device_id from iot.device_group_members as m where m.group_id = any (groups)
          ))
    ) as c
    where (radius_m is null or c.away_m <= radius_m)
      and (after_id is null or (c.away_m * direction, c.device_id)
          > (after_distance * direction, after_id))
    order by c.away_m * direction, c.device_id
    limit count;
end
$$;
comment on function iot.places_within(
    double precision[], double precision[], double precision[], double precision[],
    double precision, double precision, double precision, integer, double precision, uuid, bigint
) is
    'The transaction''s devices in boxes that do not overlap and, where a radius is given, in the'
    ' circle around the origin; by distance from it, nearest (direction 1) or farthest (-1) first.';
grant execute on function iot.places_within(
    double precision[], double precision[], double precision[], double precision[],
    double precision, double precision, double precision, integer, double precision, uuid, bigint
) to iot_api;

create or replace function iot_private.leave_deleted_geofence() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from iot.geofence_presences as p
    where p.organization_id = new.organization_id and p.geofence_id = new.geofence_id;
    return null;
end
$$;
comment on function iot_private.leave_deleted_geofence() is
    'Nobody is inside a geofence that is no more; no event says so.';

create or replace trigger leave_deleted_geofence after update of deleted_at on iot.geofences
    for each row when (new.deleted_at is not null)
    execute function iot_private.leave_deleted_geofence();
