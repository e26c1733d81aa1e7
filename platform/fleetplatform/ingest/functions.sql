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
