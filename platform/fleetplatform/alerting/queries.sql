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

-- name: rules(organization_id)
-- The active rules of one organization.
select rule_id, name, conditions, severity, device_type, sensor_type, sensor_id
from iot.alert_rules
where organization_id = :organization_id and is_active
order by name;

-- name: alerts(organization_id, alert_status, count)
-- The newest alerts of one organization, all or those with a status.
select
    alert_id, rule_id, sensor_id, device_id, severity, alert_status, alert_timestamp,
    trigger_value, resolved_at
from iot.alerts
where organization_id = :organization_id
  and (:alert_status::text is null or alert_status = :alert_status::text)
order by alert_timestamp desc, alert_id desc
limit :count;
