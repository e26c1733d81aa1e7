-- What processing/continuity.py judges on arrays, for engines that judge in the database. Another
-- reading's part in it is looked up in the table: late ones have none, and say so by their bit.

create or replace function iot.quality_bits(
    measured_at timestamptz, received timestamptz, value double precision, newest timestamptz,
    newest_value double precision, flat_since timestamptz, sampling_interval interval,
    rate_max double precision, flat_after interval, gap_intervals integer, stale_after interval,
    clock_skew interval
)
returns smallint
language sql
immutable parallel safe
return (
    case when measured_at - received > clock_skew then 32 else 0 end
    | case
        when measured_at < newest then 16
        else
            case when received - measured_at > stale_after then 128 else 0 end
            | case when measured_at - newest > sampling_interval * gap_intervals then 8 else 0 end
            | case
                when abs(
                    least(greatest(value, -1e100), 1e100)
                    - least(greatest(newest_value, -1e100), 1e100)
                ) > rate_max * extract(
                    epoch from greatest(measured_at - newest, sampling_interval)
                )::double precision and newest is not null then 2
                else 0
            end
            | case when measured_at - flat_since > flat_after then 4 else 0 end
    end
)::smallint;
comment on function iot.quality_bits(
    timestamptz, timestamptz, double precision, timestamptz, double precision, timestamptz,
    interval, double precision, interval, integer, interval, interval
) is
    'The bits late, clock_skew, stale, gap, rate and flat of a reading, by the newest one before it,'
    ' since when its value is the same, and limits; a null limit judges nothing.';
revoke execute on function iot.quality_bits(
    timestamptz, timestamptz, double precision, timestamptz, double precision, timestamptz,
    interval, double precision, interval, integer, interval, interval
) from public;

create or replace function iot.flat_since(
    sensor uuid, type_code smallint, newest timestamptz, sent_value double precision,
    flat_after interval
)
returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- By the unique key, whatever the statistics of a table that fills up may say.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    horizon constant timestamptz := newest - flat_after;
    other record;
begin
    if horizon is null then
        return null;
    end if;
    select d.measurement_timestamp as measured, coalesce(d.raw_value, d.measurement_value) as sent
    into other
    from iot.sensor_data as d
    where d.sensor_id = sensor
      and d.sensor_type = type_code
      and d.measurement_timestamp between horizon and newest
      and d.data_quality & 16 = 0
      and (
          coalesce(d.raw_value, d.measurement_value) <> sent_value or d.data_quality & 8 <> 0
      )
    order by d.measurement_timestamp desc
    limit 1;
    if not found then
        select
            d.measurement_timestamp as measured,
            coalesce(d.raw_value, d.measurement_value) as sent
        into other
        from iot.sensor_data as d
        where d.sensor_id = sensor
          and d.sensor_type = type_code
          and d.measurement_timestamp < horizon
          and d.data_quality & 16 = 0
        order by d.measurement_timestamp desc
        limit 1;
    end if;
    if other.sent = sent_value then
        return other.measured;
    end if;
    return (
        select min(d.measurement_timestamp)
        from iot.sensor_data as d
        where d.sensor_id = sensor
          and d.sensor_type = type_code
          and d.measurement_timestamp > coalesce(other.measured, '-infinity')
          and d.measurement_timestamp between horizon and newest
          and d.data_quality & 16 = 0
    );
end
$$;
comment on function iot.flat_since(
    uuid, smallint, timestamptz, double precision, interval
) is
    'Since when, up to its newest reading, a sensor has sent one value without a gap; of a run that is'
    ' longer than flat_after some time before that, null for no flat_after.';
revoke execute on function iot.flat_since(
    uuid, smallint, timestamptz, double precision, interval
) from public;

create or replace function iot.last_readings(measured_after timestamptz)
returns table (
    sensor_id uuid, last_measured timestamptz, last_value double precision,
    last_sent double precision, flat_since timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- Sensor by sensor by the unique key: what is stored may be far more than there are sensors.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
begin
    return query
    select
        s.sensor_id, n.measured, n.value, n.sent,
        -- Looked for where the run has not just begun: for few sensors, but those that are flat.
        case
            when not n.is_after_gap and coalesce(p.sent = n.sent, true) and not s.sensitive then
                iot.flat_since(s.sensor_id, s.sensor_type, n.measured, n.sent, s.flat_after)
        end
    from iot.sensors as s
    cross join lateral (
        select
            d.measurement_timestamp as measured, d.measurement_value as value,
            coalesce(d.raw_value, d.measurement_value) as sent,
            d.data_quality & 8 <> 0 as is_after_gap
        from iot.sensor_data as d
        where d.sensor_id = s.sensor_id
          and d.sensor_type = s.sensor_type
          and d.measurement_timestamp >= measured_after
        order by d.measurement_timestamp desc
        limit 1
    ) as n
    left join lateral (
        select coalesce(d.raw_value, d.measurement_value) as sent
        from iot.sensor_data as d
        where d.sensor_id = s.sensor_id
          and d.sensor_type = s.sensor_type
          and d.measurement_timestamp >= n.measured - s.flat_after
          and d.measurement_timestamp < n.measured
          and d.data_quality & 16 = 0
        order by d.measurement_timestamp desc
        limit 1
    ) as p on true;
end
$$;
comment on function iot.last_readings(timestamptz) is
    'The newest reading of each sensor that measured since, and since when it sends that value.';
revoke execute on function iot.last_readings(timestamptz) from public;
grant execute on function iot.last_readings(timestamptz) to iot_ingest;
