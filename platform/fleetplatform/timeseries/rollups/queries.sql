-- name: choose_rollups(kind)!
-- Keep closed hours in this way from now on.
select iot_private.choose_rollups(:kind::text);

-- name: chosen_kind()$
-- In which way closed hours are kept.
select kind from iot.rollup_choice;

-- name: refresh_materialized_hours(now)!
-- Make the materialised view anew.
select iot.refresh_materialized_hours(:now::timestamptz);

-- name: begin_progress()!
-- Where nothing was looked at yet, begin before everything.
insert into iot.rollup_progress (received_through, hours_through, virtual_anchor, wall_anchor)
select '-infinity', '-infinity', virtual_anchor, wall_anchor from iot.platform_clock
on conflict do nothing;

-- name: read_by_index()^
-- For this transaction: the planner cannot know how little lies behind the bounds of note_hours.
select set_config('enable_seqscan', 'off', true);

-- name: note_hours(now)!
-- The hours that are to be made: those that ended since the last time, and those before them that
-- readings were received for since. Under a new law of the clock received_at may have begun again.
-- Of what was measured in the hour that goes on nothing is read: the index on both times skips it.
with before as materialized (
    select
        p.hours_through,
        date_trunc('hour', :now::timestamptz, 'UTC') as ended,
        case
            when (c.virtual_anchor, c.wall_anchor) = (p.virtual_anchor, p.wall_anchor)
                then p.received_through
            else least(p.received_through, c.virtual_anchor - interval '1 microsecond')
        end as received_after
    from iot.rollup_progress as p
    cross join iot.platform_clock as c
)
insert into iot.rollup_hours (organization_id, hour_start, sensor_id)
select distinct
    r.organization_id, date_trunc('hour', r.measurement_timestamp, 'UTC'), r.sensor_id
from (
    select d.organization_id, d.measurement_timestamp, d.sensor_id
    from iot.sensor_data as d
    where d.measurement_timestamp >= (select hours_through from before)
      and d.measurement_timestamp < (select ended from before)
      and d.measurement_value is not null
    union all
    select d.organization_id, d.measurement_timestamp, d.sensor_id
    from iot.sensor_data as d
    where d.received_at > (select received_after from before)
      and d.measurement_timestamp < (select least(ended, hours_through) from before)
      and d.measurement_value is not null
) as r
on conflict do nothing;

-- name: save_progress(now, margin)!
-- Up to where everything was noted; what was received within the margin may not be committed yet.
update iot.rollup_progress as p
set received_through = :now::timestamptz - :margin::interval,
    hours_through = date_trunc('hour', :now::timestamptz, 'UTC'),
    virtual_anchor = c.virtual_anchor,
    wall_anchor = c.wall_anchor
from iot.platform_clock as c;

-- name: closed_hours(closed_before)
-- Hours to be made that are over, oldest first, and how many sensors each is to be made of.
select hour_start, count(*) as sensor_count
from iot.rollup_hours
where hour_start <= :closed_before::timestamptz - interval '1 hour'
group by hour_start
order by hour_start;

-- name: sensor_count()$
-- How many sensors there are.
select count(*) from iot.sensors;

-- name: wait_for_recalibration()!
-- Readings that are being calibrated again commit first; what makes hours anew then sees them.
select pg_advisory_xact_lock(hashtext('iot.rollup_hours'));

-- name: keep_to_key()^
-- For this transaction: few readings of the hour are read, each sensor's by the unique key.
select
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
    set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true);

-- name: make_hour(hour)$
-- Aggregate anew what was touched in one hour, from all readings of the hour; how many sensors that
-- was. One without readings has no aggregate any more; one whose readings were taken away keeps it.
-- A value whose square, summed, no float could hold is left out: it would keep every hour of
-- everybody from being made.
with touched as materialized (
    delete from iot.rollup_hours where hour_start = :hour returning organization_id, sensor_id
), wanted as materialized (
    select t.organization_id, t.sensor_id, s.device_id
    from touched as t
    join iot.sensors as s using (organization_id, sensor_id)
    left join iot.rollup_floors as f using (organization_id, sensor_id)
    where f.kept_from is null or f.kept_from <= :hour
), fresh as materialized (
    select
        organization_id, sensor_id, w.device_id, count(*) as reading_count,
        avg(d.measurement_value) as mean_value, min(d.measurement_value) as min_value,
        max(d.measurement_value) as max_value,
        var_pop(d.measurement_value) * count(*) as sum_squared_deviations,
        count(*) filter (where d.data_quality = 0) as valid_count,
        count(*) filter (where d.is_anomaly) as anomaly_count
    from iot.sensor_data as d
    join wanted as w using (organization_id, sensor_id)
    where d.measurement_timestamp >= :hour
      and d.measurement_timestamp < :hour::timestamptz + interval '1 hour'
      and abs(d.measurement_value) < 1e100
    group by organization_id, sensor_id, w.device_id
), lost as materialized (
    select w.organization_id, w.sensor_id
    from wanted as w
    where not exists (
        select from fresh as f
        where f.organization_id = w.organization_id and f.sensor_id = w.sensor_id
    )
), gone as (
    delete from iot.sensor_hourly_aggregates as a
    using lost as l
    where a.organization_id = l.organization_id
      and a.sensor_id = l.sensor_id
      and a.hour_start = :hour
), made as (
    insert into iot.sensor_hourly_aggregates (
        organization_id, sensor_id, device_id, hour_start, reading_count, mean_value, min_value,
        max_value, sum_squared_deviations, valid_count, anomaly_count
    )
    select
        organization_id, sensor_id, device_id, :hour, reading_count, mean_value, min_value,
        max_value, sum_squared_deviations, valid_count, anomaly_count
    from fresh
    on conflict (organization_id, sensor_id, hour_start) do update
    set device_id = excluded.device_id, reading_count = excluded.reading_count,
        mean_value = excluded.mean_value, min_value = excluded.min_value,
        max_value = excluded.max_value,
        sum_squared_deviations = excluded.sum_squared_deviations,
        valid_count = excluded.valid_count, anomaly_count = excluded.anomaly_count
    returning 1
)
select count(*) from made;

-- name: make_touched(hour)$
-- The same for few sensors, each sensor's readings by the unique key: what else was measured in the
-- hour is not read.
with touched as materialized (
    delete from iot.rollup_hours where hour_start = :hour returning organization_id, sensor_id
), wanted as materialized (
    select t.organization_id, t.sensor_id, s.device_id, s.sensor_type
    from touched as t
    join iot.sensors as s using (organization_id, sensor_id)
    left join iot.rollup_floors as f using (organization_id, sensor_id)
    where f.kept_from is null or f.kept_from <= :hour
), fresh as materialized (
    select w.organization_id, w.sensor_id, w.device_id, r.*
    from wanted as w
    cross join lateral (
        select
            count(*) as reading_count, avg(d.measurement_value) as mean_value,
            min(d.measurement_value) as min_value, max(d.measurement_value) as max_value,
            var_pop(d.measurement_value) * count(*) as sum_squared_deviations,
            count(*) filter (where d.data_quality = 0) as valid_count,
            count(*) filter (where d.is_anomaly) as anomaly_count
        from iot.sensor_data as d
        where d.sensor_id = w.sensor_id
          and d.sensor_type = w.sensor_type
          and d.organization_id = w.organization_id
          and d.measurement_timestamp >= :hour
          and d.measurement_timestamp < :hour::timestamptz + interval '1 hour'
          and abs(d.measurement_value) < 1e100
    ) as r
), gone as (
    delete from iot.sensor_hourly_aggregates as a
    using fresh as f
    where f.reading_count = 0
      and a.organization_id = f.organization_id
      and a.sensor_id = f.sensor_id
      and a.hour_start = :hour
), made as (
    insert into iot.sensor_hourly_aggregates (
        organization_id, sensor_id, device_id, hour_start, reading_count, mean_value, min_value,
        max_value, sum_squared_deviations, valid_count, anomaly_count
    )
    select
        organization_id, sensor_id, device_id, :hour, reading_count, mean_value, min_value,
        max_value, sum_squared_deviations, valid_count, anomaly_count
    from fresh
    where reading_count > 0
    on conflict (organization_id, sensor_id, hour_start) do update
    set device_id = excluded.device_id, reading_count = excluded.reading_count,
        mean_value = excluded.mean_value, min_value = excluded.min_value,
        max_value = excluded.max_value,
        sum_squared_deviations = excluded.sum_squared_deviations,
        valid_count = excluded.valid_count, anomaly_count = excluded.anomaly_count
    returning 1
)
select count(*) from made;
