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
-- Hours to be made that are over, oldest first.
select distinct hour_start from iot.rollup_hours
where hour_start <= :closed_before::timestamptz - interval '1 hour'
order by hour_start;

-- name: wait_for_recalibration()!
-- Readings that are being calibrated again commit first; what makes hours anew then sees them.
select pg_advisory_xact_lock(hashtext('iot.rollup_hours'));

-- name: make_hour(hour)$
-- Aggregate anew whatever was touched in one hour; how many sensors that was. A value whose square,
-- summed, no float could hold is left out: it would keep every hour of everybody from being made.
with touched as (
    delete from iot.rollup_hours where hour_start = :hour returning organization_id, sensor_id
), made as (
    insert into iot.sensor_hourly_aggregates (
        organization_id, sensor_id, device_id, hour_start, reading_count, mean_value, min_value,
        max_value, sum_squared_deviations, valid_count, anomaly_count
    )
    select
        d.organization_id, d.sensor_id, d.device_id, :hour, count(*), avg(d.measurement_value),
        min(d.measurement_value), max(d.measurement_value),
        var_pop(d.measurement_value) * count(*), count(*) filter (where d.data_quality = 0),
        count(*) filter (where d.is_anomaly)
    from iot.sensor_data as d
    join touched as t using (organization_id, sensor_id)
    where d.measurement_timestamp >= :hour
      and d.measurement_timestamp < :hour::timestamptz + interval '1 hour'
      and abs(d.measurement_value) < 1e100
    group by d.organization_id, d.sensor_id, d.device_id
    on conflict (organization_id, sensor_id, hour_start) do update
    set device_id = excluded.device_id, reading_count = excluded.reading_count,
        mean_value = excluded.mean_value, min_value = excluded.min_value,
        max_value = excluded.max_value,
        sum_squared_deviations = excluded.sum_squared_deviations,
        valid_count = excluded.valid_count, anomaly_count = excluded.anomaly_count
    returning 1
)
select count(*) from made;
