-- PostgreSQL's own way to put partial results of its variance together, which loses nothing where
-- values are large against their spread (Chan, Golub, LeVeque 1983, as in float8_combine).
create or replace aggregate iot.combined(double precision[]) (
    sfunc = float8_combine,
    stype = double precision[],
    initcond = '{0, 0, 0}'
);
comment on aggregate iot.combined(double precision[]) is
    'Of parts with {count, sum, sum of squared deviations from the mean}: the same of the whole.';
revoke execute on function iot.combined(double precision[]) from public;
grant execute on function iot.combined(double precision[]) to iot_worker, iot_api;

create or replace function iot.devices_in_geofence(wanted uuid, count bigint)
returns table (device_id uuid)
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
    select p.device_id
    from iot.geofences as g
    join iot.device_places as p
        on p.place <@ g.bounds and p.organization_id = g.organization_id
    where g.geofence_id = wanted
      and g.deleted_at is null
      and g.organization_id = any (visible)
      and isfinite(p.valid_from)
      and (groups is null or p.device_id in (
          select m.device_id from iot.device_group_members as m where m.group_id = any (groups)
      ))
      and iot_private.is_in_geofence(
          g.latitude, g.longitude, g.radius_m, g.outline, p.latitude, p.longitude
      )
    limit count;
end
$$;
comment on function iot.devices_in_geofence(uuid, bigint) is
    'Devices of a geofence''s organization that are in it now, of those that are seen.';
grant execute on function iot.devices_in_geofence(uuid, bigint) to iot_api;
