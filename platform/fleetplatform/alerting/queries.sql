-- name: raise_alerts(organizations, rules, sensors, devices, severities, raised_at, trigger_values, resolved_at)!
-- Alerts raised by a batch; those that it also cleared are resolved at once. Events go with them.
with given as (
    select *
    from unnest(
        :organizations::uuid[], :rules::uuid[], :sensors::uuid[], :devices::uuid[],
        :severities::text[], :raised_at::timestamptz[], :trigger_values::float8[],
        :resolved_at::timestamptz[]
    ) as g (organization_id, rule_id, sensor_id, device_id, severity, raised_at, trigger_value,
            resolved_at)
), raised as (
    insert into iot.alerts (
        organization_id, rule_id, sensor_id, device_id, severity, alert_status, alert_timestamp,
        trigger_value, resolved_at
    )
    select
        organization_id, rule_id, sensor_id, device_id, severity,
        case when resolved_at is null then 'active' else 'resolved' end,
        raised_at, trigger_value, resolved_at
    from given
    on conflict do nothing
    returning organization_id, alert_id, alert_timestamp, resolved_at
)
insert into iot.alert_events (organization_id, alert_id, event, occurred_at, actor)
select organization_id, alert_id, 'raised', alert_timestamp, 'ingest'
from raised
union all
select organization_id, alert_id, 'resolved', resolved_at, 'ingest'
from raised
where resolved_at is not null;

-- name: clear_alerts(organizations, rules, sensors, cleared_at)!
-- Alerts that were open before the batch and that it cleared.
with given as (
    select *
    from unnest(
        :organizations::uuid[], :rules::uuid[], :sensors::uuid[], :cleared_at::timestamptz[]
    ) as g (organization_id, rule_id, sensor_id, cleared_at)
), cleared as (
    update iot.alerts as a
    set alert_status = 'resolved', resolved_at = g.cleared_at
    from given as g
    where a.organization_id = g.organization_id
      and a.rule_id = g.rule_id
      and a.sensor_id = g.sensor_id
      and a.alert_status in ('active', 'acknowledged')
    returning a.organization_id, a.alert_id, a.resolved_at
)
insert into iot.alert_events (organization_id, alert_id, event, occurred_at, actor)
select organization_id, alert_id, 'resolved', resolved_at, 'ingest'
from cleared;

-- name: open_alerts()
-- The (rule, sensor) pairs with an open alert.
select rule_id, sensor_id
from iot.alerts
where alert_status in ('active', 'acknowledged');

-- name: add_rule(organization_id, name, conditions, severity, device_type, sensor_type, sensor_id)$
-- A new alert rule.
insert into iot.alert_rules (
    organization_id, name, conditions, severity, device_type, sensor_type, sensor_id
)
values (:organization_id, :name, :conditions, :severity, :device_type, :sensor_type, :sensor_id)
returning rule_id;

-- name: rules(descending, after_name, after_id, count)
-- The active rules that are visible, in order of name; an organization has some hundreds at most.
select
    organization_id, rule_id, name, conditions, severity, device_type, sensor_type, sensor_id
from iot.alert_rules
where is_active and (
    :after_id::uuid is null
    or case when :descending::boolean
        then (name, rule_id) < (:after_name::text, :after_id::uuid)
        else (name, rule_id) > (:after_name::text, :after_id::uuid)
    end
)
order by
    case when not :descending::boolean then name end, case when :descending::boolean then name end
    desc, case when not :descending::boolean then rule_id end, rule_id desc
limit :count;

-- name: alerts(alert_status, device_id, rule_id, since, until, after_time, after_id, count)
-- The alerts of the visible organizations, newest first; a null filter takes all.
select e.*
from unnest(
    string_to_array(current_setting('app.organization_ids'), ',')::uuid[]
) as o (organization_id)
-- For each organization as many as a page holds: its index gives them without a sort.
cross join lateral (
    select
        organization_id, alert_id, rule_id, sensor_id, device_id, severity, alert_status,
        alert_timestamp, trigger_value, resolved_at
    from iot.alerts as a
    where a.organization_id = o.organization_id
      and (:alert_status::text is null or alert_status = :alert_status::text)
      and (:device_id::uuid is null or device_id = :device_id::uuid)
      and (:rule_id::uuid is null or rule_id = :rule_id::uuid)
      and (:since::timestamptz is null or alert_timestamp >= :since::timestamptz)
      and (:until::timestamptz is null or alert_timestamp < :until::timestamptz)
      and (alert_timestamp, alert_id) < (
          coalesce(:after_time::timestamptz, 'infinity'),
          coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      )
    order by alert_timestamp desc, alert_id desc
    limit :count
) as e
order by e.alert_timestamp desc, e.alert_id desc
limit :count;
