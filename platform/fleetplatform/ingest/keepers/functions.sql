create or replace function iot.sums_since(received_after timestamptz, measured_after timestamptz)
returns table (
    sensor_id uuid, hour_start timestamptz, reading_count bigint, mean_value double precision,
    sum_squared_deviations double precision, last_received timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        d.sensor_id,
        date_trunc('hour', d.measurement_timestamp, 'UTC'),
        count(*),
        avg(d.measurement_value),
        var_pop(d.measurement_value) * count(*),
        max(d.received_at)
    from iot.sensor_data as d
    where d.received_at > received_after
      and d.measurement_timestamp >= measured_after
      -- A late reading is judged by no detector, and no detector learns from it.
      and d.data_quality & 16 = 0
      -- Nor from a value whose square, summed, no float could hold.
      and abs(d.measurement_value) < 1e100
    group by 1, 2;
end
$$;
comment on function iot.sums_since(timestamptz, timestamptz) is
    'The detector''s sums of the readings that no checkpoint holds, by sensor and hour.';
grant execute on function iot.sums_since(timestamptz, timestamptz) to iot_ingest;

create or replace function iot.readings_since(received_after timestamptz, measured_after timestamptz)
returns table (
    sensor_id uuid, measured_us bigint, measurement_value double precision, received_us bigint
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        d.sensor_id,
        (extract(epoch from d.measurement_timestamp) * 1000000)::bigint,
        d.measurement_value,
        (extract(epoch from d.received_at) * 1000000)::bigint
    from iot.sensor_data as d
    where d.received_at > received_after
      and d.measurement_timestamp >= measured_after
      -- A late reading is judged by no detector, nor is one that is encrypted.
      and d.data_quality & 16 = 0
      and d.measurement_value is not null
    order by d.received_at, d.measurement_timestamp;
end
$$;
comment on function iot.readings_since(timestamptz, timestamptz) is
    'The readings that no checkpoint of a detector holds, in the order of their batches.';
grant execute on function iot.readings_since(timestamptz, timestamptz) to iot_ingest;
