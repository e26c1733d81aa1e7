create or replace function iot.store_readings(
    sensors uuid[], which integer[], measured timestamptz[], received timestamptz,
    calibrated double precision[], sent double precision[], qualities smallint[],
    anomalies boolean[], scores double precision[], metadata text[], key_id text, key bytea
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into iot.sensor_data (
        sensor_id, device_id, organization_id, sensor_type, measurement_timestamp, received_at,
        data_quality, is_anomaly, anomaly_score, measurement_value, raw_value,
        measurement_metadata, value_encrypted
    )
    select
        s.sensor_id, s.device_id, s.organization_id, s.sensor_type, g.measured, received,
        g.quality, g.is_anomaly, g.score,
        case when not s.sensitive then g.calibrated end,
        case when not s.sensitive then g.sent end,
        case when not s.sensitive then g.metadata::jsonb end,
        case when s.sensitive then iot_private.seal_value(
            g.calibrated, coalesce(g.sent, g.calibrated), g.metadata::jsonb, s.sensor_id,
            g.measured, key_id, key
        ) end
    from unnest(
        which, measured, calibrated, sent, qualities, anomalies, scores, metadata
    ) as g (which, measured, calibrated, sent, quality, is_anomaly, score, metadata)
    left join (
        select u.place, s.*
        from unnest(sensors) with ordinality as u (sensor_id, place)
        join iot.sensors as s using (sensor_id)
    ) as s on s.place = g.which
$$;
comment on function iot.store_readings(
    uuid[], integer[], timestamptz[], timestamptz, double precision[], double precision[],
    smallint[], boolean[], double precision[], text[], text, bytea
) is 'Rows of sensor_data for the engine that judges a batch in SQL; those of sensitive sensors are'
    ' encrypted with the key. which: the place of each reading''s sensor in sensors, from 1. A sensor'
    ' that is not there leaves a null where none may be: better no batch than a lost row.';
revoke execute on function iot.store_readings(
    uuid[], integer[], timestamptz[], timestamptz, double precision[], double precision[],
    smallint[], boolean[], double precision[], text[], text, bytea
) from public;
