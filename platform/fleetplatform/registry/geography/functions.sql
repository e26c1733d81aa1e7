create or replace function iot.distance_m(
    latitude_a double precision, longitude_a double precision,
    latitude_b double precision, longitude_b double precision
) returns double precision
language sql immutable parallel safe
-- Not strict, or it would be called and not inlined.
-- The haversine formula on a sphere of the mean radius of WGS 84 (IUGG: 6,371,008.8 m). A float too
-- small to be squared is an error in PostgreSQL, so differences count from 1e-99 degrees on.
return case
    when latitude_a = latitude_b and longitude_a = longitude_b then 0
    else 2 * 6371008.8 * asin(least(1, sqrt(
        sind(greatest(abs(latitude_a - latitude_b), 1e-99) / 2)
            * sind(greatest(abs(latitude_a - latitude_b), 1e-99) / 2)
        + cosd(latitude_a) * cosd(latitude_b)
            * sind(greatest(abs(longitude_a - longitude_b), 1e-99) / 2)
            * sind(greatest(abs(longitude_a - longitude_b), 1e-99) / 2)
    )))
end;
comment on function iot.distance_m(
    double precision, double precision, double precision, double precision
) is 'Distance over the ground in m between two places in degrees.';
grant execute on function iot.distance_m(
    double precision, double precision, double precision, double precision
) to iot_ingest, iot_worker, iot_api;

create or replace function iot.is_inside(
    latitude double precision, longitude double precision, rule jsonb
) returns boolean
language sql immutable parallel safe
return case
    when rule ? 'circle' then iot.distance_m(
        latitude, longitude,
        (rule -> 'circle' ->> 'latitude')::double precision,
        (rule -> 'circle' ->> 'longitude')::double precision
    ) <= (rule -> 'circle' ->> 'radius_m')::double precision
    when rule ? 'box' then
        latitude between (rule -> 'box' ->> 'south')::double precision
            and (rule -> 'box' ->> 'north')::double precision
        and case
            when abs(longitude) = 180 then
                (rule -> 'box' ->> 'west')::double precision
                    > (rule -> 'box' ->> 'east')::double precision
                or 180 in (
                    abs((rule -> 'box' ->> 'west')::double precision),
                    abs((rule -> 'box' ->> 'east')::double precision)
                )
            when (rule -> 'box' ->> 'west')::double precision
                    <= (rule -> 'box' ->> 'east')::double precision then
                longitude between (rule -> 'box' ->> 'west')::double precision
                    and (rule -> 'box' ->> 'east')::double precision
            else
                longitude >= (rule -> 'box' ->> 'west')::double precision
                or longitude <= (rule -> 'box' ->> 'east')::double precision
        end
end;
comment on function iot.is_inside(double precision, double precision, jsonb) is
    'Whether a place lies in {"circle": {latitude, longitude, radius_m}} or in {"box": {south, west,'
    ' north, east}}, whose west is greater than its east over the antimeridian; null: in neither.';
grant execute on function iot.is_inside(double precision, double precision, jsonb)
    to iot_worker, iot_api;

create or replace function iot_private.is_in_outline(
    outline polygon, latitude double precision, longitude double precision
) returns boolean
language sql immutable parallel safe
-- The outline may go on beyond 180 degrees, on either side.
return outline @> point(longitude, latitude)
    or outline @> point(longitude + 360, latitude)
    or outline @> point(longitude - 360, latitude);
comment on function iot_private.is_in_outline(polygon, double precision, double precision) is
    'Whether a place in degrees lies in a geofence''s polygon.';

create or replace function iot_private.is_in_geofence(
    centre_latitude double precision, centre_longitude double precision,
    radius_m double precision, outline polygon, latitude double precision,
    longitude double precision
) returns boolean
language sql immutable parallel safe
return case
    when outline is null
        then iot.distance_m(latitude, longitude, centre_latitude, centre_longitude) <= radius_m
    else iot_private.is_in_outline(outline, latitude, longitude)
end;
comment on function iot_private.is_in_geofence(
    double precision, double precision, double precision, polygon, double precision,
    double precision
) is 'Whether a place in degrees lies in a geofence, which is a circle or a polygon.';
