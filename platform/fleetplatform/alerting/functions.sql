-- The source document's rule evaluation, made right: no unknown key that raises, alerts that begin
-- and cease. Only the engine `row` calls it; the others evaluate rules on arrays.

create or replace function iot.evaluate_alert_condition(
    rule_conditions jsonb, sensor_value double precision
)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    condition_key text;
    condition_value jsonb;
    holds boolean;
begin
    for condition_key, condition_value in select key, value from jsonb_each(rule_conditions)
    loop
        holds := case condition_key
            when 'threshold_high' then sensor_value > (condition_value #>> '{}')::float8
            when 'threshold_low' then sensor_value < (condition_value #>> '{}')::float8
            else false
        end;
        if not holds then
            return false;
        end if;
    end loop;
    return true;
end;
$$;

comment on function iot.evaluate_alert_condition(jsonb, double precision) is
    'Whether all conditions of a rule hold for a calibrated value; an unknown one never holds.';

create or replace function iot.check_alert_rules(
    sensor iot.sensors, device_type_name text, measured_at timestamptz,
    sensor_value double precision, is_late boolean, out raised integer, out cleared integer
)
language plpgsql
set search_path = iot, pg_temp
as $$
declare
    rule iot.alert_rules;
    open_alert uuid;
    alert uuid;
    holds boolean;
begin
    raised := 0;
    cleared := 0;
    for rule in
        select r.*
        from iot.alert_rules as r
        where r.organization_id = sensor.organization_id
          and r.is_active
          and (r.sensor_id is null or r.sensor_id = sensor.sensor_id)
          and (r.sensor_type is null or r.sensor_type = sensor.sensor_type)
          and (r.device_type is null or r.device_type = device_type_name)
        order by r.rule_id
    loop
        holds := iot.evaluate_alert_condition(rule.conditions, sensor_value);
        select a.alert_id into open_alert
        from iot.alerts as a
        where a.organization_id = sensor.organization_id
          and a.rule_id = rule.rule_id
          and a.sensor_id = sensor.sensor_id
          and a.alert_status in ('active', 'acknowledged');
        if holds and open_alert is null then
            insert into iot.alerts (
                organization_id, rule_id, sensor_id, device_id, severity, alert_status,
                alert_timestamp, trigger_value
            )
            values (
                sensor.organization_id, rule.rule_id, sensor.sensor_id, sensor.device_id,
                rule.severity, 'active', measured_at,
                case when not sensor.sensitive then sensor_value end
            )
            returning alert_id into alert;
            insert into iot.alert_events (organization_id, alert_id, event, occurred_at, actor)
            values (sensor.organization_id, alert, 'raised', measured_at, 'ingest');
            raised := raised + 1;
        elsif open_alert is not null and not holds and not is_late then
            update iot.alerts
            set alert_status = 'resolved', resolved_at = measured_at
            where organization_id = sensor.organization_id and alert_id = open_alert;
            insert into iot.alert_events (organization_id, alert_id, event, occurred_at, actor)
            values (sensor.organization_id, open_alert, 'resolved', measured_at, 'ingest');
            cleared := cleared + 1;
        end if;
    end loop;
end;
$$;

comment on function iot.check_alert_rules(
    iot.sensors, text, timestamptz, double precision, boolean
) is 'Raises and clears the alerts of one reading; a late reading never clears one.';

revoke execute on function iot.evaluate_alert_condition(jsonb, double precision) from public;
revoke execute on function iot.check_alert_rules(
    iot.sensors, text, timestamptz, double precision, boolean
) from public;
