-- name: begin_progress()!
-- Where nothing was looked at yet, begin before everything.
insert into iot.rollup_progress (received_through, virtual_anchor, wall_anchor)
select '-infinity', virtual_anchor, wall_anchor from iot.platform_clock
on conflict do nothing;

-- name: take_progress()^
-- How far it went; under a new law of the clock received_at may have begun again at its anchor.
with before as (
    select received_through, virtual_anchor, wall_anchor from iot.rollup_progress for update
)
select
    case
        when (c.virtual_anchor, c.wall_anchor) = (b.virtual_anchor, b.wall_anchor)
            then b.received_through
        else least(b.received_through, c.virtual_anchor - interval '1 microsecond')
    end as received_after,
    c.virtual_anchor,
    c.wall_anchor
from before as b
cross join iot.platform_clock as c;

-- name: newest_received(received_after)$
-- The newest reading that is there; one lane stores in this order, so none is missing before it.
select max(received_at) from iot.sensor_data where received_at > :received_after;

-- name: note_hours(received_after, received_through)!
-- The hours that readings were received for.
insert into iot.rollup_hours (organization_id, hour_start, sensor_id)
select distinct organization_id, date_trunc('hour', measurement_timestamp, 'UTC'), sensor_id
from iot.sensor_data
where received_at > :received_after
  and received_at <= :received_through
  and measurement_value is not null
on conflict do nothing;

-- name: save_progress(received_through, virtual_anchor, wall_anchor)!
-- Everything up to there was noted.
update iot.rollup_progress
set received_through = :received_through, virtual_anchor = :virtual_anchor,
    wall_anchor = :wall_anchor;

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
