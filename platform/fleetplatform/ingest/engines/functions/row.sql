-- The source document's per-reading function, made right: offset and history of calibrations, sums
-- over whole hours, a duplicate that changes nothing.

create or replace function iot.process_sensor_data(
    sensor_uuid uuid, measured_at timestamptz, sent_value double precision, metadata jsonb,
    received timestamptz, active_key_id text, key_ids text[], keys bytea[], out duplicate boolean,
    out conflict boolean, out raised integer, out cleared integer
)
language plpgsql
security definer
set search_path = iot, pg_temp
set extra_float_digits = 1
as $$
declare
    sensor iot.sensors;
    type_name text;
    calibration iot.sensor_calibrations;
    sent_differs boolean;
    processed double precision;
    quality smallint := 0;
    newest timestamptz;
    is_late boolean;
    hour_start timestamptz := date_trunc('hour', measured_at, 'UTC');
    reading_count bigint;
    mean double precision;
    deviation double precision;
    distance double precision;
    rounding double precision;
    score double precision;
    anomaly boolean := false;
    stored_value double precision;
    stored_sealed bytea;
begin
    raised := 0;
    cleared := 0;
    select s.* into strict sensor from iot.sensors as s where s.sensor_id = sensor_uuid;
    select t.name into strict type_name
    from iot.devices as d
    join iot.device_types as t using (device_type_id)
    where d.organization_id = sensor.organization_id and d.device_id = sensor.device_id;

    select coalesce(raw_value, measurement_value), value_encrypted
    into stored_value, stored_sealed
    from iot.sensor_data
    where sensor_id = sensor_uuid
      and measurement_timestamp = measured_at
      and sensor_type = sensor.sensor_type;
    duplicate := found;
    conflict := duplicate and stored_value is distinct from sent_value;
    if stored_sealed is not null then
        -- What no key opens counts as the same: nothing says that it is not.
        conflict := coalesce(iot_private.sent_value_of(
            stored_sealed, sensor_uuid, measured_at, key_ids, keys
        ) <> sent_value, false);
    end if;
    if duplicate then
        return;
    end if;

    select c.* into calibration
    from iot.sensor_calibrations as c
    where c.organization_id = sensor.organization_id
      and c.sensor_id = sensor_uuid
      and c.valid_from <= measured_at
    order by c.valid_from desc, c.revision desc
    limit 1;
    sent_differs := iot.changes_values(
        calibration.multiplier, calibration.offset_value, calibration.higher_factors
    );
    processed := case when sent_differs then iot.calibrated(
        sent_value, calibration.multiplier, calibration.offset_value, calibration.higher_factors
    ) else sent_value end;

    if processed < sensor.value_min or processed > sensor.value_max then
        quality := quality | 1::smallint;
    end if;
    if measured_at >= calibration.due_at then
        quality := quality | 64::smallint;
    end if;
    select measurement_timestamp into newest
    from iot.sensor_data
    where sensor_id = sensor_uuid and sensor_type = sensor.sensor_type
    order by measurement_timestamp desc
    limit 1;
    is_late := coalesce(measured_at < newest, false);
    if is_late then
        quality := quality | 16::smallint;
    elsif not sensor.sensitive then
        select count(*), avg(measurement_value), stddev_samp(measurement_value)
        into reading_count, mean, deviation
        from iot.sensor_data
        where sensor_id = sensor_uuid
          and sensor_type = sensor.sensor_type
          and measurement_timestamp >= hour_start - interval '24 hours'
          and measurement_timestamp < hour_start
          and data_quality & 16 = 0
          -- A value whose square, summed, no float could hold is no part of a baseline.
          and abs(measurement_value) < 1e100;
        if reading_count >= 30 then
            distance := abs(processed - mean);
            rounding := 1e-9 * greatest(1, abs(mean));
            -- A quotient too large or too small for a float would be an error.
            score := case when deviation <= rounding or distance < 1e-37 * deviation then 0
                          when distance >= 5 * deviation then 5
                          else distance / deviation end;
            anomaly := distance > 3 * deviation and distance > rounding;
        end if;
    end if;

    perform iot.store_reading(
        sensor, measured_at, received, processed,
        case when sent_differs then sent_value end,
        quality, anomaly, score, metadata, active_key_id,
        keys[array_position(key_ids, active_key_id)]
    );
    select c.raised, c.cleared into raised, cleared
    from iot.check_alert_rules(sensor, type_name, measured_at, processed, is_late) as c;
end;
$$;

comment on function iot.process_sensor_data(
    uuid, timestamptz, double precision, jsonb, timestamptz, text, text[], bytea[]
) is 'Stores one admitted reading and raises its alerts; scans 24 hours of raw rows each time.';

revoke execute on function iot.process_sensor_data(
    uuid, timestamptz, double precision, jsonb, timestamptz, text, text[], bytea[]
) from public;
grant execute on function iot.process_sensor_data(
    uuid, timestamptz, double precision, jsonb, timestamptz, text, text[], bytea[]
) to iot_ingest;
