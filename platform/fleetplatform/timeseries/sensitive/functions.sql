-- Readings of sensitive sensors. Keys come as bind parameters and are kept nowhere.

create or replace function iot.store_sensitive(
    high bigint[], low bigint[], measured_us bigint[], sensor_values double precision[],
    sent_values double precision[], qualities smallint[], metadata text[], received timestamptz,
    key_id text, key bytea
) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
-- What a batch holds in clear must not go to a temporary file.
set work_mem = '256MB'
as $$
    insert into iot.sensor_data (
        sensor_id, device_id, organization_id, sensor_type, measurement_timestamp, received_at,
        data_quality, is_anomaly, value_encrypted
    )
    select
        g.sensor_id, s.device_id, s.organization_id, s.sensor_type, g.measured, received,
        g.quality, false, iot_private.seal_value(
            g.sensor_value, g.sent_value, g.metadata::jsonb, g.sensor_id, g.measured, key_id, key
        )
    from (
        select
            (lpad(to_hex(u.high), 16, '0') || lpad(to_hex(u.low), 16, '0'))::uuid as sensor_id,
            timestamptz '1970-01-01T00:00:00Z' + u.us * interval '1 microsecond' as measured,
            u.sensor_value, u.sent_value, u.quality, u.metadata
        from unnest(
            high, low, measured_us, sensor_values, sent_values, qualities, metadata
        ) as u (high, low, us, sensor_value, sent_value, quality, metadata)
    ) as g
    -- A sensor that is not there leaves a null where none may be: better no batch than a lost row.
    left join iot.sensors as s using (sensor_id)
$$;
comment on function iot.store_sensitive(
    bigint[], bigint[], bigint[], double precision[], double precision[], smallint[], text[],
    timestamptz, text, bytea
) is 'Readings of sensitive sensors, each encrypted with the key.';
grant execute on function iot.store_sensitive(
    bigint[], bigint[], bigint[], double precision[], double precision[], smallint[], text[],
    timestamptz, text, bytea
) to iot_ingest;

create or replace function iot.compare_sensitive(
    high bigint[], low bigint[], measured_us bigint[], sensor_types smallint[],
    sent_values double precision[], key_ids text[], keys bytea[]
) returns table (at integer, same boolean)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- As in iot.find_stored: each by the unique key, whatever the statistics may say.
set enable_seqscan = off
set work_mem = '256MB'
as $$
declare
    epoch constant timestamptz := '1970-01-01T00:00:00Z';
    earliest timestamptz;
    latest timestamptz;
begin
    select epoch + min(us) * interval '1 microsecond', epoch + max(us) * interval '1 microsecond'
    into earliest, latest
    from unnest(measured_us) as us;
    return query
    select (asked.place - 1)::integer, case
        when found.sealed is null then found.stored_value = asked.sent_value
        else iot_private.sent_value_of(
            found.sealed, asked.sensor_id, asked.measured, key_ids, keys
        ) = asked.sent_value
    end
    from (
        select
            (lpad(to_hex(g.high), 16, '0') || lpad(to_hex(g.low), 16, '0'))::uuid as sensor_id,
            epoch + g.us * interval '1 microsecond' as measured,
            g.type_code, g.sent_value, g.place
        from unnest(high, low, measured_us, sensor_types, sent_values) with ordinality
            as g (high, low, us, type_code, sent_value, place)
    ) as asked
    cross join lateral (
        select
            d.value_encrypted as sealed,
            coalesce(d.raw_value, d.measurement_value) as stored_value
        from iot.sensor_data as d
        where d.sensor_id = asked.sensor_id
          and d.measurement_timestamp = asked.measured
          and d.sensor_type = asked.type_code
          and d.measurement_timestamp between earliest and latest
        limit 1
    ) as found;
end
$$;
comment on function iot.compare_sensitive(
    bigint[], bigint[], bigint[], smallint[], double precision[], text[], bytea[]
) is 'Which of these readings are stored, by place from 0, and whether with the same value; null'
    ' where the stored one cannot be decrypted. No stored value leaves the database.';
grant execute on function iot.compare_sensitive(
    bigint[], bigint[], bigint[], smallint[], double precision[], text[], bytea[]
) to iot_ingest;

create or replace function iot.rotate_keys(
    new_key_id text, rows_max integer, key_ids text[], keys bytea[],
    out seen bigint, out changed bigint, out unreadable bigint, out finished boolean
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
    new_key constant bytea := keys[array_position(key_ids, new_key_id)];
    progress iot.key_rotations;
    sensor record;
    visited integer := 0;
    piece record;
begin
    insert into iot.key_rotations (key_id) values (new_key_id) on conflict do nothing;
    select r.* into strict progress from iot.key_rotations as r
    where r.key_id = new_key_id for update;
    if progress.finished_at is not null then
        progress.after_sensor_id := '00000000-0000-0000-0000-000000000000';
        progress.after_measured := '-infinity';
    end if;
    seen := 0;
    changed := 0;
    unreadable := 0;
    finished := true;
    for sensor in
        select s.sensor_id, s.sensor_type from iot.sensors as s
        where s.sensitive and s.sensor_id >= progress.after_sensor_id
        order by s.sensor_id
    loop
        if seen >= rows_max or visited >= rows_max then
            finished := false;
            exit;
        end if;
        if sensor.sensor_id <> progress.after_sensor_id then
            progress.after_sensor_id := sensor.sensor_id;
            progress.after_measured := '-infinity';
        end if;
        with next as materialized (
            select d.measurement_timestamp as measured, d.value_encrypted as sealed
            from iot.sensor_data as d
            where d.sensor_id = sensor.sensor_id
              and d.sensor_type = sensor.sensor_type
              and d.measurement_timestamp > progress.after_measured
              and d.value_encrypted is not null
            order by d.measurement_timestamp
            limit rows_max - seen
        ), opened as materialized (
            select n.measured, n.sealed, iot_private.unseal(
                n.sealed, sensor.sensor_id, n.measured, key_ids, keys
            ) as plain
            from next as n
            where iot_private.key_id_of(n.sealed) is distinct from new_key_id
        ), sealed_again as (
            update iot.sensor_data as d
            set value_encrypted = iot_private.seal(
                o.plain, sensor.sensor_id, o.measured, new_key_id, new_key
            )
            from opened as o
            where d.sensor_id = sensor.sensor_id
              and d.sensor_type = sensor.sensor_type
              and d.measurement_timestamp = o.measured
              and d.value_encrypted = o.sealed
              and o.plain is not null
            returning 1
        )
        select
            (select count(*) from next) as seen,
            (select max(measured) from next) as last_measured,
            (select count(*) from sealed_again) as changed,
            (select count(*) from opened where plain is null) as unreadable
        into piece;
        visited := visited + 1;
        seen := seen + piece.seen;
        changed := changed + piece.changed;
        unreadable := unreadable + piece.unreadable;
        progress.after_measured := coalesce(piece.last_measured, 'infinity');
    end loop;
    -- Who took all that was allowed may have left something of the last sensor.
    finished := finished and seen < rows_max;
    update iot.key_rotations as r
    set after_sensor_id = progress.after_sensor_id,
        after_measured = progress.after_measured,
        readings_changed = r.readings_changed + rotate_keys.changed,
        finished_at = case when rotate_keys.finished then clock_timestamp() end
    where r.key_id = new_key_id;
end
$$;
comment on function iot.rotate_keys(text, integer, text[], bytea[]) is
    'Encrypt the next readings anew with a key, going on where the last call ended; a call after the'
    ' end begins again. Readings that none of the keys opens stay as they are and are counted.';
grant execute on function iot.rotate_keys(text, integer, text[], bytea[]) to iot_worker;
