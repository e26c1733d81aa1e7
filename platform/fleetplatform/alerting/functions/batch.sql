-- The rules over a batch as a set: where a condition begins or ceases to hold is a window function.

create or replace function iot_private.find_transitions(
    sensors uuid[], which integer[], measured timestamptz[], sensor_values double precision[],
    are_late boolean[]
)
returns table (
    organization_id uuid, rule_id uuid, sensor_id uuid, device_id uuid, severity text,
    at timestamptz, trigger_value double precision, is_raised boolean, is_first boolean,
    next_at timestamptz
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- Planned for this batch; kept out of the functions that write, where each check of a reference
-- would be planned anew too.
set plan_cache_mode = force_custom_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    with scope as materialized (
        select
            g.place, s.organization_id, s.sensor_id, s.device_id, s.sensitive, r.rule_id,
            r.conditions, r.severity,
            exists (
                select from iot.alerts as a
                where a.organization_id = s.organization_id
                  and a.rule_id = r.rule_id
                  and a.sensor_id = s.sensor_id
                  and a.alert_status in ('active', 'acknowledged')
            ) as was_open
        from unnest(sensors) with ordinality as g (sensor_id, place)
        -- Sensor by sensor, for the planner may pair all sensors with all rules otherwise.
        cross join lateral (
            select known.*, t.name as type_name
            from iot.sensors as known
            join iot.devices as d
                on d.organization_id = known.organization_id and d.device_id = known.device_id
            join iot.device_types as t on t.device_type_id = d.device_type_id
            where known.sensor_id = g.sensor_id
            limit 1
        ) as s
        join iot.alert_rules as r
            on r.organization_id = s.organization_id
            and r.is_active
            and (r.sensor_id is null or r.sensor_id = s.sensor_id)
            and (r.sensor_type is null or r.sensor_type = s.sensor_type)
            and (r.device_type is null or r.device_type = s.type_name)
    ), judged as (
        select
            c.place, c.rule_id, c.was_open, g.measured, g.sensor_value, g.position, case
                -- A sensor's late readings come before its others: they raise and never clear.
                when g.is_late then c.was_open or bool_or(holds) over so_far
                else holds
            end as is_open
        from unnest(which, measured, sensor_values, are_late) with ordinality
            as g (which, measured, sensor_value, is_late, position)
        join scope as c on c.place = g.which
        cross join lateral iot.evaluate_alert_condition(c.conditions, g.sensor_value) as holds
        window so_far as (
            partition by c.rule_id, c.place order by g.position rows unbounded preceding
        )
    ), edges as (
        select
            j.rule_id, j.place, j.measured, j.sensor_value, j.is_open,
            row_number() over of_alerts = 1 as is_first,
            lead(j.measured) over of_alerts as next_measured
        from (
            select *, lag(s.is_open, 1, s.was_open) over (
                partition by s.rule_id, s.place order by s.position
            ) as open_before
            from judged as s
        ) as j
        where j.is_open <> j.open_before
        window of_alerts as (partition by j.rule_id, j.place order by j.position)
    )
    select
        c.organization_id, c.rule_id, c.sensor_id, c.device_id, c.severity, e.measured,
        case when not c.sensitive then e.sensor_value end, e.is_open, e.is_first, e.next_measured
    from edges as e
    join scope as c on c.rule_id = e.rule_id and c.place = e.place
    -- So that no two writers wait for one another.
    order by c.rule_id, c.sensor_id, e.measured;
end
$$;
comment on function iot_private.find_transitions(
    uuid[], integer[], timestamptz[], double precision[], boolean[]
) is 'Where a condition begins or ceases to hold in a batch. is_first: no other of the same rule and'
    ' sensor is before it · next_at: the time of the one that follows.';

create or replace function iot.check_alert_rules_of_batch(
    sensors uuid[], which integer[], measured timestamptz[], sensor_values double precision[],
    are_late boolean[], out raised bigint, out cleared bigint
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    found record;
begin
    select
        array_agg(t.organization_id) as organizations, array_agg(t.rule_id) as rules,
        array_agg(t.sensor_id) as sensors, array_agg(t.device_id) as devices,
        array_agg(t.severity) as severities, array_agg(t.at) as measured,
        array_agg(t.trigger_value) as trigger_values, array_agg(t.is_raised) as is_raised,
        array_agg(t.is_first) as is_first, array_agg(t.next_at) as next_at,
        count(*) filter (where t.is_raised) as raised,
        count(*) filter (where not t.is_raised) as cleared
    into found
    from iot_private.find_transitions(sensors, which, measured, sensor_values, are_late) as t;
    raised := found.raised;
    cleared := found.cleared;
    if raised + cleared = 0 then
        return;
    end if;
    -- First what was open before the batch: a pair of rule and sensor has one open alert at most.
    with resolved as (
        update iot.alerts as a
        set alert_status = 'resolved', resolved_at = g.cleared_at
        from unnest(
            found.organizations, found.rules, found.sensors, found.measured, found.is_raised,
            found.is_first
        ) as g (organization_id, rule_id, sensor_id, cleared_at, is_raised, is_first)
        where a.organization_id = g.organization_id
          and a.rule_id = g.rule_id
          and a.sensor_id = g.sensor_id
          and a.alert_status in ('active', 'acknowledged')
          and g.is_first and not g.is_raised
        returning a.organization_id, a.alert_id, a.resolved_at
    )
    insert into iot.alert_events (organization_id, alert_id, event, occurred_at, actor)
    select organization_id, alert_id, 'resolved', resolved_at, 'ingest'
    from resolved;
    -- What the batch raised and cleared is resolved at once.
    with created as (
        insert into iot.alerts (
            organization_id, rule_id, sensor_id, device_id, severity, alert_status,
            alert_timestamp, trigger_value, resolved_at
        )
        select
            g.organization_id, g.rule_id, g.sensor_id, g.device_id, g.severity,
            case when g.resolved_at is null then 'active' else 'resolved' end,
            g.raised_at, g.trigger_value, g.resolved_at
        from unnest(
            found.organizations, found.rules, found.sensors, found.devices, found.severities,
            found.measured, found.trigger_values, found.next_at, found.is_raised
        ) as g (organization_id, rule_id, sensor_id, device_id, severity, raised_at, trigger_value,
                resolved_at, is_raised)
        where g.is_raised
        returning organization_id, alert_id, alert_timestamp, resolved_at
    )
    insert into iot.alert_events (organization_id, alert_id, event, occurred_at, actor)
    select organization_id, alert_id, 'raised', alert_timestamp, 'ingest'
    from created
    union all
    select organization_id, alert_id, 'resolved', resolved_at, 'ingest'
    from created
    where resolved_at is not null;
end
$$;
comment on function iot.check_alert_rules_of_batch(
    uuid[], integer[], timestamptz[], double precision[], boolean[]
) is 'Raises and clears the alerts of a batch as iot.check_alert_rules would, reading by reading.'
    ' which: the place of each reading''s sensor in sensors, from 1; readings of a sensor in order of'
    ' time.';
revoke execute on function iot.check_alert_rules_of_batch(
    uuid[], integer[], timestamptz[], double precision[], boolean[]
) from public;
