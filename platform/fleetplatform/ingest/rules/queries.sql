-- name: ensure_month(measured)$
-- Whether the month of processed_data is there.
select iot.ensure_processed_month(:measured::timestamptz);

-- name: store_missing(organizations, sensors, rules, measured, made_values, flags)!
-- Values of which some may be there already: these stay.
insert into iot.processed_data (
    organization_id, sensor_id, processing_rule_id, measurement_timestamp, value, flag
)
select *
from unnest(
    :organizations::uuid[], :sensors::uuid[], :rules::uuid[], :measured::timestamptz[],
    :made_values::float8[], :flags::smallint[]
)
on conflict do nothing;

-- name: recent_readings(sensors, since, look_back, depth)^
-- The last readings of some sensors that came in time, as packed columns.
select sensor_at, times, made_values
from iot.recent_readings(
    :sensors::uuid[], :since::timestamptz, :look_back::interval, :depth::integer
);

-- name: recent_values(sensors, rule, since, look_back, depth)^
-- The last values that a rule made of some sensors' readings that came in time, as packed columns.
select sensor_at, times, made_values
from iot.recent_values(
    :sensors::uuid[], :rule::uuid, :since::timestamptz, :look_back::interval, :depth::integer
);

-- name: read_back(sensors, measured, sensor_types)
-- What is stored of some readings, by place from 0.
select at, measured_value, quality
from iot.read_back(:sensors::uuid[], :measured::timestamptz[], :sensor_types::smallint[]);

-- name: lock_rules(organization_id)!
-- Until the transaction ends nobody else changes the rules of the organization.
select pg_advisory_xact_lock(
    hashtext('iot.data_processing_rules'), hashtext(:organization_id::uuid::text)
);

-- name: own_rules(organization_id)
-- All rules of an organization.
select
    organization_id, processing_rule_id, name, kind, settings, inputs, device_type, output_name,
    output_units, is_active, created_at, revision
from iot.data_processing_rules
where organization_id = :organization_id and deleted_at is null
order by processing_rule_id;

-- name: add_rule(organization_id, name, kind, settings, inputs, device_type, output_name, output_units, is_active)^
-- A new rule.
insert into iot.data_processing_rules (
    organization_id, name, kind, settings, inputs, device_type, output_name, output_units,
    is_active
)
values (
    :organization_id, :name, :kind, :settings::jsonb, :inputs::jsonb, :device_type, :output_name,
    :output_units::text[], :is_active
)
returning
    organization_id, processing_rule_id, name, kind, settings, inputs, device_type, output_name,
    output_units, is_active, created_at, revision;

-- name: change_rule(organization_id, processing_rule_id, name, settings, inputs, device_type, output_name, output_units, is_active)^
-- A rule with everything that can be changed in it.
update iot.data_processing_rules
set name = :name, settings = :settings::jsonb, inputs = :inputs::jsonb,
    device_type = :device_type, output_name = :output_name,
    output_units = :output_units::text[], is_active = :is_active
where organization_id = :organization_id
  and processing_rule_id = :processing_rule_id
  and deleted_at is null
returning
    organization_id, processing_rule_id, name, kind, settings, inputs, device_type, output_name,
    output_units, is_active, created_at, revision;

-- name: change_units(organization_id, processing_rule_id, output_units)!
-- What a rule makes now, of what another one makes.
update iot.data_processing_rules
set output_units = :output_units::text[]
where organization_id = :organization_id
  and processing_rule_id = :processing_rule_id
  and output_units <> :output_units::text[];

-- name: delete_rule(organization_id, processing_rule_id)!
-- A rule is no more; ingest hears of it by its row.
update iot.data_processing_rules
set is_active = false, deleted_at = clock_timestamp()
where organization_id = :organization_id and processing_rule_id = :processing_rule_id;

-- name: find_rule(processing_rule_id)^
-- One rule that the caller sees.
select
    organization_id, processing_rule_id, name, kind, settings, inputs, device_type, output_name,
    output_units, is_active, created_at, revision
from iot.data_processing_rules
where processing_rule_id = :processing_rule_id and deleted_at is null;

-- name: rules_by_name(after_value, after_id, count)
-- A page of the rules that the caller sees, in order of name.
select
    organization_id, processing_rule_id, name, kind, settings, inputs, device_type, output_name,
    output_units, is_active, created_at, revision
from iot.data_processing_rules
where (name, processing_rule_id) > (:after_value::text, :after_id::uuid) and deleted_at is null
order by name, processing_rule_id
limit :count;

-- name: scope_units(organization_id, device_type, sensor_type, label, sensor_name, sensor_id)
-- The units of the sensors that an input speaks of; those of its device type before it has devices.
select s.unit
from iot.sensors as s
join iot.devices as d
    on d.organization_id = s.organization_id and d.device_id = s.device_id
join iot.device_types as t using (device_type_id)
where s.organization_id = :organization_id
  and not s.sensitive
  and (:device_type::text is null or t.name = :device_type::text)
  and (:sensor_type::smallint is null or s.sensor_type = :sensor_type::smallint)
  and (:sensor_name::text is null or s.name = :sensor_name::text)
  and (:sensor_id::uuid is null or s.sensor_id = :sensor_id::uuid)
union
select told.one ->> 'unit'
from iot.device_types as t
join iot.device_type_versions as v
    on v.device_type_id = t.device_type_id and v.version = t.version
cross join lateral json_each(v.specification -> 'sensors') as told (name, one)
where t.name = :device_type::text
  and :sensor_id::uuid is null
  and (told.one ->> 'sensitive') is distinct from 'true'
  and (:label::text is null or told.one ->> 'type' = :label::text)
  and (:sensor_name::text is null or told.name = :sensor_name::text)
limit 100;

-- name: own_sensor(organization_id, sensor_id)^
-- A sensor of an organization.
select sensitive
from iot.sensors
where organization_id = :organization_id and sensor_id = :sensor_id;

-- name: has_device_type(name)$
-- Whether there is such a device type.
select exists (select from iot.device_types where name = :name);
