-- name: list_operations(device_status, seen_since, unseen_since, has_open_alerts, after_id, count)
-- A part of the devices that are seen, in order of enrolment (as the ids are); null takes all.
select e.*
from unnest(
    string_to_array(current_setting('app.organization_ids'), ',')::uuid[]
) as o (organization_id)
-- For each organization as many as a page holds: its key gives them without a sort, and no more
-- devices are looked at.
cross join lateral (
    select
        organization_id, device_id, serial_number, device_type, device_type_version, device_status,
        last_seen_at, sensor_count, open_info, open_warning, open_critical
    from iot.iot_operations_dashboard as d
    where d.organization_id = o.organization_id
      and device_id > coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
      and (:device_status::text is null or device_status = :device_status::text)
      and (:seen_since::timestamptz is null or last_seen_at >= :seen_since::timestamptz)
      and (
        :unseen_since::timestamptz is null
        or last_seen_at < :unseen_since::timestamptz
        or last_seen_at is null
      )
      and (
        :has_open_alerts::boolean is null
        or (open_info + open_warning + open_critical > 0) = :has_open_alerts::boolean
      )
    order by device_id
    limit :count
) as e
order by e.device_id
limit :count;
