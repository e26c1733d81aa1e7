create or replace function iot.last_measured(measured_after timestamptz)
returns table (sensor_id uuid, last_measured timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select d.sensor_id, max(d.measurement_timestamp)
    from iot.sensor_data as d
    where d.measurement_timestamp >= measured_after
    group by 1;
end
$$;
comment on function iot.last_measured(timestamptz) is
    'The newest measurement of each sensor that measured since.';
grant execute on function iot.last_measured(timestamptz) to iot_ingest;

create or replace function iot.has_readings_before(measured timestamptz)
returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select exists (select from iot.sensor_data where measurement_timestamp < measured)
$$;
comment on function iot.has_readings_before(timestamptz) is
    'Whether anything is stored that was measured before.';
grant execute on function iot.has_readings_before(timestamptz) to iot_ingest;
