-- A batch judged as a set. The semantics are those of iot.process_sensor_data, reading by reading.

create or replace function iot_private.judge_batch(
    sensors uuid[], which integer[], measured_us bigint[], sent_values double precision[],
    metadata text[], key_ids text[], keys bytea[],
    out duplicates boolean[], out conflicts bigint, out fresh_which integer[],
    out fresh_measured timestamptz[], out fresh_values double precision[],
    out fresh_sent double precision[], out fresh_metadata text[], out are_late boolean[],
    out qualities smallint[], out anomalies boolean[], out scores double precision[]
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- Planned for this batch: partitions outside its times are left out before anything is looked up.
set plan_cache_mode = force_custom_plan
set jit = off
-- Each stored reading by the unique key, whatever the statistics of a table that fills up may say.
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    epoch constant timestamptz := '1970-01-01T00:00:00Z';
    day constant interval := '24 hours';
    earliest timestamptz;
    latest timestamptz;
begin
    select epoch + min(us) * interval '1 microsecond', epoch + max(us) * interval '1 microsecond'
    into earliest, latest
    from unnest(measured_us) as us;
    with sensor as materialized (
        select
            g.place, g.sensor_id, s.organization_id, s.device_id, s.sensor_type, s.sensitive,
            s.value_min, s.value_max, stored.newest,
            exists (
                select from iot.sensor_calibrations as c
                where c.organization_id = s.organization_id and c.sensor_id = s.sensor_id
            ) as is_calibrated
        from unnest(sensors) with ordinality as g (sensor_id, place)
        left join lateral (
            select * from iot.sensors as known where known.sensor_id = g.sensor_id limit 1
        ) as s on true
        left join lateral (
            select d.measurement_timestamp as newest
            from iot.sensor_data as d
            where d.sensor_id = s.sensor_id
              and d.sensor_type = s.sensor_type
              and d.measurement_timestamp >= earliest
            order by d.measurement_timestamp desc
            limit 1
        ) as stored on true
    ), given as materialized (
        select
            g.position, g.which, g.sent, g.metadata, g.measured,
            date_trunc('hour', g.measured, 'UTC') as hour_start,
            row_number() over same_key > 1 as again,
            first_value(g.sent) over same_key as first_sent
        from (
            select
                u.position, u.which, u.sent, u.metadata,
                epoch + u.us * interval '1 microsecond' as measured
            from unnest(which, measured_us, sent_values, metadata) with ordinality
                as u (which, us, sent, metadata, position)
        ) as g
        window same_key as (partition by g.which, g.measured order by g.position)
    ), compared as materialized (
        select
            g.*, s.sensor_id, s.organization_id, s.sensor_type, s.sensitive, s.value_min,
            s.value_max, s.newest, s.is_calibrated,
            g.again or coalesce(stored.found, false) as duplicate,
            coalesce(stored.differs, g.again and g.sent <> g.first_sent) as conflict
        from given as g
        join sensor as s on s.place = g.which
        left join lateral (
            select true as found, case
                when d.value_encrypted is null
                    then coalesce(d.raw_value, d.measurement_value) is distinct from g.sent
                -- What no key opens counts as the same: nothing says that it is not.
                else coalesce(iot_private.sent_value_of(
                    d.value_encrypted, s.sensor_id, g.measured, key_ids, keys
                ) <> g.sent, false)
            end as differs
            from iot.sensor_data as d
            where d.sensor_id = s.sensor_id
              and d.measurement_timestamp = g.measured
              and d.sensor_type = s.sensor_type
              and d.measurement_timestamp between earliest and latest
              -- What is newer than all that is stored is not looked up.
              and g.measured <= s.newest
            limit 1
        ) as stored on true
    ), measured as materialized (
        select
            f.*,
            coalesce(f.measured < f.newest, false) as is_late,
            coalesce(f.measured >= calibration.due_at, false) as is_overdue,
            changes as sent_differs,
            case when changes then iot.calibrated(
                f.sent, calibration.multiplier, calibration.offset_value,
                calibration.higher_factors
            ) else f.sent end as processed,
            max(f.hour_start) over (partition by f.which) as last_hour
        from compared as f
        left join lateral (
            select c.multiplier, c.offset_value, c.higher_factors, c.due_at
            from iot.sensor_calibrations as c
            where f.is_calibrated
              and c.organization_id = f.organization_id
              and c.sensor_id = f.sensor_id
              and c.valid_from <= f.measured
            order by c.valid_from desc
            limit 1
        ) as calibration on true
        cross join lateral iot.changes_values(
            calibration.multiplier, calibration.offset_value, calibration.higher_factors
        ) as changes
        where not f.duplicate
    ), baseline as materialized (
        select past.which, past.hour_start, count(*) as reading_count, avg(past.processed) as mean,
            stddev_samp(past.processed) as deviation
        from (
            select h.which, h.hour_start, stored.processed
            from (
                select distinct m.which, m.sensor_id, m.sensor_type, m.hour_start
                from measured as m
                where not m.is_late and not m.sensitive
            ) as h
            cross join lateral (
                select d.measurement_value as processed
                from iot.sensor_data as d
                where d.sensor_id = h.sensor_id
                  and d.sensor_type = h.sensor_type
                  and d.measurement_timestamp >= h.hour_start - day
                  and d.measurement_timestamp < h.hour_start
                  and d.measurement_timestamp >= earliest - day - interval '1 hour'
                  and d.measurement_timestamp < latest
                  and d.data_quality & 16 = 0
                -- A fence: else the planner may read the day of all sensors there are.
                offset 0
            ) as stored
            union all
            -- An hour of the batch is in the baseline of the batch's later hours.
            select m.which, m.hour_start + later * interval '1 hour', m.processed
            from measured as m
            cross join generate_series(1, 24) as later
            where m.hour_start < m.last_hour and not m.is_late and not m.sensitive
        ) as past
        -- A value whose square, summed, no float could hold is no part of a baseline.
        where abs(past.processed) < 1e100
        group by past.which, past.hour_start
        having count(*) >= 30
    ), judged as materialized (
        select
            m.*,
            (
                case when m.processed < m.value_min or m.processed > m.value_max then 1 else 0 end
                | case when m.is_late then 16 else 0 end
                | case when m.is_overdue then 64 else 0 end
            )::smallint as quality,
            coalesce(distance > 3 * b.deviation and distance > rounding, false) as is_anomaly,
            case
                when b.deviation <= rounding or distance < 1e-37 * b.deviation then 0
                -- A quotient too large or too small for a float would be an error.
                when distance >= 5 * b.deviation then 5
                else distance / b.deviation
            end as score
        from measured as m
        left join baseline as b
            on b.which = m.which and b.hour_start = m.hour_start
            and not m.is_late and not m.sensitive
        cross join lateral (
            select abs(m.processed - b.mean) as distance,
                1e-9 * greatest(1, abs(b.mean)) as rounding
        ) as from_mean
    )
    select
        array_agg(j.which order by j.position),
        array_agg(j.measured order by j.position),
        array_agg(j.processed order by j.position),
        array_agg(case when j.sent_differs then j.sent end order by j.position),
        array_agg(j.quality order by j.position),
        array_agg(j.is_anomaly order by j.position),
        array_agg(j.score order by j.position),
        case when judge_batch.metadata is not null then
            array_agg(j.metadata order by j.position)
        end,
        array_agg(j.is_late order by j.position),
        (select array_agg(c.duplicate order by c.position) from compared as c),
        (select count(*) from compared as c where c.conflict)
    into
        fresh_which, fresh_measured, fresh_values, fresh_sent, qualities, anomalies, scores,
        fresh_metadata, are_late, duplicates, conflicts
    from judged as j;
end
$$;
comment on function iot_private.judge_batch(
    uuid[], integer[], bigint[], double precision[], text[], text[], bytea[]
) is 'What iot.process_sensor_data would make of a batch''s readings: those that are stored already,'
    ' and of the fresh ones all that their rows hold. fresh_sent: null where it is the value.';

create or replace function iot.process_batch(
    sensors uuid[], which integer[], measured_us bigint[], sent_values double precision[],
    metadata text[], received timestamptz, active_key_id text, key_ids text[], keys bytea[],
    out duplicates boolean[], out conflicts bigint, out raised bigint, out cleared bigint
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
-- What a batch holds in clear must not go to a temporary file.
set work_mem = '256MB'
as $$
declare
    judged record;
begin
    select * into judged from iot_private.judge_batch(
        sensors, which, measured_us, sent_values, metadata, key_ids, keys
    );
    duplicates := judged.duplicates;
    conflicts := judged.conflicts;
    raised := 0;
    cleared := 0;
    if judged.fresh_which is not null then
        perform iot.store_readings(
            sensors, judged.fresh_which, judged.fresh_measured, received, judged.fresh_values,
            judged.fresh_sent, judged.qualities, judged.anomalies, judged.scores,
            judged.fresh_metadata, active_key_id, keys[array_position(key_ids, active_key_id)]
        );
        select c.raised, c.cleared into raised, cleared
        from iot.check_alert_rules_of_batch(
            sensors, judged.fresh_which, judged.fresh_measured, judged.fresh_values,
            judged.are_late
        ) as c;
    end if;
end
$$;
comment on function iot.process_batch(
    uuid[], integer[], bigint[], double precision[], text[], timestamptz, text, text[], bytea[]
) is 'Stores a batch of admitted readings and raises its alerts. sensors: each once; which: the place'
    ' in it, from 1, of each reading; readings of a sensor in order of time, the earlier arrival of'
    ' two equal ones first.';
revoke execute on function iot.process_batch(
    uuid[], integer[], bigint[], double precision[], text[], timestamptz, text, text[], bytea[]
) from public;
grant execute on function iot.process_batch(
    uuid[], integer[], bigint[], double precision[], text[], timestamptz, text, text[], bytea[]
) to iot_ingest;
