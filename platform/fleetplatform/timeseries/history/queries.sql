-- name: ensure_partitions(since, until, sensor_types)$
-- Whether the partitions of a span are there, those of every type.
select coalesce(bool_and(iot.ensure_partition(day, type_code)), true)
from generate_series(
    date_trunc('day', :since::timestamptz, 'UTC'), :until::timestamptz, interval '1 day'
) as day
cross join unnest(:sensor_types::smallint[]) as type_code;

-- name: write(organization_id, devices, sensor_types, since, until, step)!
-- Readings of a fleet that never was, in order of time: a daily wave, one in 1,024 an anomaly, one
-- in 512 flagged. Ids are the organization's with another end, so they lie together as real ones do.
insert into iot.sensor_data (
    measurement_timestamp, received_at, measurement_value, sensor_id, device_id, organization_id,
    anomaly_score, sensor_type, data_quality, is_anomaly
)
select
    measured,
    measured,
    20 + 5 * sin(extract(epoch from measured)::float8 / 13750.99 + device) + dice / 1024.0,
    (prefix || lpad(to_hex(device * 256 + type_code), 12, '0'))::uuid,
    (prefix || '8' || lpad(to_hex(device), 11, '0'))::uuid,
    :organization_id::uuid,
    case when dice = 0 then 3 + random() * 2 else random() end,
    type_code,
    case dice when 1 then 1 when 2 then 16 else 0 end,
    dice = 0
from (
    select
        measured,
        device,
        type_code,
        left(:organization_id::uuid::text, 24) as prefix,
        hashint8(extract(epoch from measured)::bigint + device * 7919 + type_code) & 1023 as dice
    from generate_series(
        :since::timestamptz, :until::timestamptz - interval '1 microsecond', :step::interval
    ) as measured
    cross join generate_series(1, :devices::integer) as device
    cross join unnest(:sensor_types::smallint[]) as type_code
    order by measured
) as made;
