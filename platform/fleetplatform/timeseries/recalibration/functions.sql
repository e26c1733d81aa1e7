-- A calibration applied to one value, step by step as processing/calibration.py does it on arrays,
-- and to stored readings again.

create or replace function iot.calibrated(
    sent_value double precision, factor double precision, addend double precision
)
returns double precision
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    return sent_value * factor + addend;
exception when numeric_value_out_of_range then
    -- PostgreSQL refuses what a float cannot hold; one reading must not spoil its neighbours, so
    -- here it is zero or infinity, as it is on arrays.
    if ln(abs(sent_value)) + ln(abs(factor)) < 0 then
        return addend;
    end if;
    return sign(sent_value) * sign(factor) * 'infinity'::double precision;
end;
$$;

comment on function iot.calibrated(double precision, double precision, double precision) is
    'A value with a straight calibration, and a step of Horner''s rule: times a factor, plus an'
    ' addend; never an error.';

revoke execute on function iot.calibrated(
    double precision, double precision, double precision
) from public;

create or replace function iot.calibrated(
    sent_value double precision, factor double precision, addend double precision,
    higher_factors double precision[]
)
returns double precision
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    total double precision;
begin
    if higher_factors is null then
        return iot.calibrated(sent_value, factor, addend);
    end if;
    total := higher_factors[cardinality(higher_factors)];
    for power in reverse cardinality(higher_factors) - 1..1 loop
        total := iot.calibrated(total, sent_value, higher_factors[power]);
    end loop;
    return iot.calibrated(iot.calibrated(total, sent_value, factor), sent_value, addend);
end;
$$;
comment on function iot.calibrated(
    double precision, double precision, double precision, double precision[]
) is 'A value with its calibration, a straight line or a polynomial by Horner''s rule.';
revoke execute on function iot.calibrated(
    double precision, double precision, double precision, double precision[]
) from public;

create or replace function iot.changes_values(
    factor double precision, addend double precision, higher_factors double precision[]
)
returns boolean
language sql
immutable parallel safe
return coalesce(factor <> 1 or addend <> 0 or higher_factors is not null, false);
comment on function iot.changes_values(double precision, double precision, double precision[]) is
    'Whether a calibration changes anything; no calibration (nulls) does not.';
revoke execute on function iot.changes_values(
    double precision, double precision, double precision[]
) from public;

create or replace function iot.recalibrate(
    owner uuid, sensor uuid, measured_after timestamptz, measured_before timestamptz,
    rows_max integer, out done_through timestamptz, out rows_seen bigint, out rows_changed bigint
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- By the unique key, whatever the statistics of a table that fills up may say.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    known iot.sensors;
begin
    select s.* into strict known
    from iot.sensors as s where s.organization_id = owner and s.sensor_id = sensor;
    rows_changed := 0;
    select max(piece.measured), count(*) into done_through, rows_seen
    from (
        select d.measurement_timestamp as measured
        from iot.sensor_data as d
        where d.sensor_id = sensor
          and d.sensor_type = known.sensor_type
          and d.measurement_timestamp > measured_after
          and d.measurement_timestamp < measured_before
        order by d.measurement_timestamp
        limit rows_max
    ) as piece;
    if rows_seen = 0 then
        return;
    end if;
    with stored as materialized (
        select
            d.measurement_timestamp as measured, d.measurement_value, d.raw_value, d.data_quality,
            coalesce(d.raw_value, d.measurement_value) as sent
        from iot.sensor_data as d
        where d.sensor_id = sensor
          and d.sensor_type = known.sensor_type
          and d.measurement_timestamp > measured_after
          and d.measurement_timestamp <= done_through
    ), calibrated as materialized (
        select
            s.*, changes, c.due_at,
            case
                when changes then
                    iot.calibrated(s.sent, c.multiplier, c.offset_value, c.higher_factors)
                else s.sent
            end as present
        from stored as s
        left join lateral (
            select h.multiplier, h.offset_value, h.higher_factors, h.due_at
            from iot.sensor_calibrations as h
            where h.organization_id = owner and h.sensor_id = sensor and h.valid_from <= s.measured
            order by h.valid_from desc
            limit 1
        ) as c on true
        cross join lateral iot.changes_values(
            c.multiplier, c.offset_value, c.higher_factors
        ) as changes
        -- An encrypted reading has no value here.
        where s.sent is not null
    ), fresh as materialized (
        select
            c.measured, c.present, case when changes then c.sent end as kept,
            (
                c.data_quality & ~(65::smallint)
                | case when c.present < known.value_min or c.present > known.value_max
                    then 1::smallint else 0::smallint end
                | case when c.measured >= c.due_at then 64::smallint else 0::smallint end
            ) as quality,
            c.measurement_value, c.raw_value, c.data_quality
        from calibrated as c
    )
    update iot.sensor_data as d
    set measurement_value = f.present, raw_value = f.kept, data_quality = f.quality
    from fresh as f
    where d.sensor_id = sensor
      and d.sensor_type = known.sensor_type
      and d.measurement_timestamp = f.measured
      and d.measurement_timestamp > measured_after
      and d.measurement_timestamp <= done_through
      and (
          f.measurement_value is distinct from f.present
          or f.raw_value is distinct from f.kept
          or f.data_quality <> f.quality
      );
    get diagnostics rows_changed = row_count;
    if rows_changed > 0 then
        -- Whoever makes these hours anew waits for this transaction: an hour that is noted already
        -- must not be made from what was there before.
        perform pg_advisory_xact_lock_shared(hashtext('iot.rollup_hours'));
        insert into iot.rollup_hours (organization_id, hour_start, sensor_id)
        select distinct owner, date_trunc('hour', d.measurement_timestamp, 'UTC'), sensor
        from iot.sensor_data as d
        where d.sensor_id = sensor
          and d.sensor_type = known.sensor_type
          and d.measurement_timestamp > measured_after
          and d.measurement_timestamp <= done_through
        on conflict do nothing;
    end if;
end
$$;
comment on function iot.recalibrate(
    uuid, uuid, timestamptz, timestamptz, integer
) is 'Calibrate the next stored readings of a sensor again, by the calibrations that are there now:'
    ' value, raw value and the bits range and uncalibrated become what they would be on arrival; their'
    ' hours are aggregated again.';
grant execute on function iot.recalibrate(
    uuid, uuid, timestamptz, timestamptz, integer
) to iot_worker;
