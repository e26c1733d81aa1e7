-- name: stored_readings(organizations)
-- Every reading of some organizations: the sensor, when, the value as sent, the value in force.
-- No column is ever null, so every row has the same width in binary form.
select
    sensor_id,
    measurement_timestamp,
    coalesce(raw_value, measurement_value, 'NaN'),
    coalesce(measurement_value, 'NaN')
from iot.sensor_data
where organization_id = any(:organizations::uuid[])
  and value_encrypted is null;

-- name: readings_of_sensors(organizations, sensors)
-- The same, of some sensors.
select
    sensor_id,
    measurement_timestamp,
    coalesce(raw_value, measurement_value, 'NaN'),
    coalesce(measurement_value, 'NaN')
from iot.sensor_data
where organization_id = any(:organizations::uuid[])
  and sensor_id = any(:sensors::uuid[])
  and value_encrypted is null;

-- name: encrypted_readings(organizations, sensors, key_ids, keys)
-- The encrypted ones, of all sensors or of some, decrypted as docs/encryption.md says; NaN where the
-- key is another or anything was changed, and the id of the key where it was not given.
with key as materialized (
    select
        id,
        iot_crypto.hmac('fleetstorm encryption'::bytea, secret, 'sha256') as encryption,
        iot_crypto.hmac('fleetstorm authentication'::bytea, secret, 'sha256') as authentication
    from unnest(:key_ids::text[], :keys::bytea[]) as given (id, secret)
), sealed as (
    select
        sensor_id, measurement_timestamp, value_encrypted as bytes,
        octet_length(value_encrypted) - 16 as signed_bytes,
        2 + get_byte(value_encrypted, 1) as header_bytes
    from iot.sensor_data
    where organization_id = any(:organizations::uuid[])
      and (:sensors::uuid[] is null or sensor_id = any(:sensors::uuid[]))
      and value_encrypted is not null
), opened as (
    select
        sensor_id, measurement_timestamp,
        case when key.id is null then
            convert_from(substring(bytes from 3 for header_bytes - 2), 'LATIN1')
        end as missing_key,
        case when substring(bytes from signed_bytes + 1) = substring(iot_crypto.hmac(
            substring(bytes from 1 for signed_bytes) || uuid_send(sensor_id)
            || timestamptz_send(measurement_timestamp), authentication, 'sha256'
        ) from 1 for 16) then convert_from(iot_crypto.decrypt_iv(
            substring(bytes from header_bytes + 17 for signed_bytes - header_bytes - 16), encryption,
            substring(bytes from header_bytes + 1 for 16), 'aes-cbc/pad:pkcs'
        ), 'UTF8') end as plain
    from sealed
    left join key
        on key.id = convert_from(substring(bytes from 3 for header_bytes - 2), 'LATIN1')
)
select
    sensor_id,
    (extract(epoch from measurement_timestamp) * 1000000)::bigint as t_us,
    coalesce(btrim(substring(plain from 25 for 24))::float8, 'NaN') as raw,
    coalesce(btrim(substring(plain from 1 for 24))::float8, 'NaN') as value,
    missing_key
from opened;

-- name: has_encrypted(organizations)$
-- Whether some organizations have a sensor whose readings are encrypted.
select exists (
    select from iot.sensors where sensitive and organization_id = any(:organizations::uuid[])
);

-- name: keep_parameters_out_of_the_log()!
-- Keys are bind parameters; a login that may not say so was set up so when it was made.
select
    set_config('log_parameter_max_length', '0', false),
    set_config('log_parameter_max_length_on_error', '0', false);

-- name: orphans(organizations)$
-- Rows of some organizations whose sensor, on that device, is no sensor of the organization.
-- Joined by the sensor alone, which is several times faster than by all three ids.
select count(*)
from iot.sensor_data as reading
left join (
    select sensor.organization_id, sensor.device_id, sensor.sensor_id
    from iot.sensors as sensor
    join iot.devices as device using (organization_id, device_id)
) as known using (sensor_id)
where reading.organization_id = any(:organizations::uuid[])
  and (known.organization_id is distinct from reading.organization_id
       or known.device_id is distinct from reading.device_id);

-- name: stray(organizations)$
-- Rows of some organizations in default partitions; null where the table has none. Each is asked by
-- itself, for together they are as good as empty, and the rest of the table need not be read.
select sum(
    substring(
        query_to_xml(
            format(
                'select count(*) as n from %s where organization_id = any(%L::uuid[])',
                c.oid::regclass, :organizations::uuid[]
            ), false, true, ''
        )::text
        from '<n>(\d+)</n>'
    )::bigint
)::bigint
from pg_class as c
join pg_partition_tree('iot.sensor_data') as t on t.relid = c.oid
where c.relispartition
  and t.isleaf
  and pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT';

-- name: leaks(organizations)$
-- Readings and alerts of these organizations' devices that are another organization's, and the
-- other way round. A device has one organization; nothing else is asked of the registry.
select (
    select count(*)
    from iot.sensor_data as reading
    join iot.devices as device using (device_id)
    where reading.organization_id <> device.organization_id
      and (reading.organization_id = any(:organizations::uuid[])
           or device.organization_id = any(:organizations::uuid[]))
) + (
    select count(*)
    from iot.alerts as alert
    join iot.devices as device using (device_id)
    where alert.organization_id <> device.organization_id
      and (alert.organization_id = any(:organizations::uuid[])
           or device.organization_id = any(:organizations::uuid[]))
);

-- name: raised_alerts(organizations)
-- Every alert of some organizations, with the name of its rule.
select
    rule.name as rule,
    alert.sensor_id,
    alert.alert_timestamp as raised_at,
    alert.recorded_at,
    alert.trigger_value
from iot.alerts as alert
join iot.alert_rules as rule using (organization_id, rule_id)
where alert.organization_id = any(:organizations::uuid[]);

-- name: scored_readings(organizations)
-- How many readings of each sensor have a score, and how many of these are flagged.
select
    sensor_id,
    count(*) as judged,
    count(*) filter (where is_anomaly) as flagged
from iot.sensor_data
where organization_id = any(:organizations::uuid[])
  and anomaly_score is not null
group by sensor_id;

-- name: scored_in_spans(sensors, starts_us, ends_us)
-- The same of spans of single sensors, in the order given, and the first flagged reading of each.
select found.judged, found.flagged, found.first_us
from unnest(:sensors::uuid[], :starts_us::bigint[], :ends_us::bigint[]) with ordinality
    as span (sensor_id, start_us, end_us, position)
cross join lateral (
    select
        count(*) as judged,
        count(*) filter (where reading.is_anomaly) as flagged,
        coalesce((extract(epoch from min(reading.measurement_timestamp)
            filter (where reading.is_anomaly)) * 1000000)::bigint, -1) as first_us
    from iot.sensor_data as reading
    where reading.sensor_id = span.sensor_id
      and reading.anomaly_score is not null
      and reading.measurement_timestamp
          >= timestamptz 'epoch' + span.start_us * interval '1 microsecond'
      and reading.measurement_timestamp
          < timestamptz 'epoch' + span.end_us * interval '1 microsecond'
) as found
order by span.position;

-- name: hold_retention()!
-- Wait until no reading is on its way into the archive or out of it, and keep it so.
select pg_advisory_lock(hashtextextended('fleetstorm retention', 0));

-- name: retired_partitions()
-- Tables that were partitions and whose readings are in no other place yet.
select relation from iot.retired_partitions;

-- name: archived_files(organizations)
-- The files whose readings are in no table any more.
select file from iot.archive_manifests
where organization_id = any(:organizations::uuid[])
  and action = 'archive' and manifest_state = 'dropped' and file is not null;

-- name: expired_readings(organizations)
-- What was deleted, by sensor.
select sensor_id, reading_count, readings_hash from iot.expired_readings
where organization_id = any(:organizations::uuid[]);
