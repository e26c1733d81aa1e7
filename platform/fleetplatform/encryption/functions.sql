-- How the value of a sensitive sensor is encrypted: AES-256-CBC with a random IV, then HMAC-SHA-256
-- over all of it (encrypt-then-MAC). The bytes of `value_encrypted`:
--     1                version, 1
--     1                n, the length of the key id
--     n                key id, in clear
--     16               IV
--     multiple of 16   AES-256-CBC, PKCS#7, of: value in force (24 characters, padded with spaces),
--                      value as sent (the same), metadata (JSON text, or nothing)
--     16               first half of HMAC-SHA-256 (RFC 4868) over all bytes before, the sensor's id
--                      and the measurement time (µs since 2000), so that no value can be moved
-- The keys of the two are HMAC-SHA-256 of the words below under the 32 bytes of the key.

create or replace function iot_private.ensure_pgcrypto() returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    place name;
begin
    create schema if not exists iot_crypto;
    comment on schema iot_crypto is 'pgcrypto; no service may reach it.';
    create extension if not exists pgcrypto schema iot_crypto;
    select n.nspname into strict place
    from pg_extension as e
    join pg_namespace as n on n.oid = e.extnamespace
    where e.extname = 'pgcrypto';
    if place <> 'iot_crypto' then
        -- Somebody had it before us; what we call by our name is theirs.
        execute format(
            $forward$
            create or replace function iot_crypto.hmac(bytea, bytea, text) returns bytea
                language sql immutable return %1$I.hmac($1, $2, $3);
            create or replace function iot_crypto.gen_random_bytes(integer) returns bytea
                language sql volatile return %1$I.gen_random_bytes($1);
            create or replace function iot_crypto.encrypt_iv(bytea, bytea, bytea, text)
                returns bytea language sql immutable return %1$I.encrypt_iv($1, $2, $3, $4);
            create or replace function iot_crypto.decrypt_iv(bytea, bytea, bytea, text)
                returns bytea language sql immutable return %1$I.decrypt_iv($1, $2, $3, $4);
            $forward$,
            place
        );
    end if;
    return null;
exception when others then
    return sqlerrm;
end
$$;
comment on function iot_private.ensure_pgcrypto() is
    'Have pgcrypto in the schema iot_crypto; null when it is there, or why it cannot be.';

create or replace function iot_private.authentication_tag(
    body bytea, sensor_id uuid, measured timestamptz, key bytea
) returns bytea
language plpgsql immutable
as $$
begin
    return substring(
        iot_crypto.hmac(
            body || uuid_send(sensor_id) || timestamptz_send(measured),
            iot_crypto.hmac('fleetstorm authentication'::bytea, key, 'sha256'), 'sha256'
        ) from 1 for 16
    );
end
$$;
comment on function iot_private.authentication_tag(bytea, uuid, timestamptz, bytea) is
    'What says that an encrypted value is that reading''s, and unchanged.';

create or replace function iot_private.seal(
    plain bytea, sensor_id uuid, measured timestamptz, key_id text, key bytea
) returns bytea
language plpgsql volatile
as $$
declare
    iv bytea := iot_crypto.gen_random_bytes(16);
    body bytea;
begin
    if octet_length(key) is distinct from 32 then
        raise exception 'a key has 32 bytes' using errcode = 'invalid_parameter_value';
    end if;
    body := '\x01'::bytea || set_byte('\x00'::bytea, 0, octet_length(key_id))
        || convert_to(key_id, 'UTF8') || iv || iot_crypto.encrypt_iv(
            plain, iot_crypto.hmac('fleetstorm encryption'::bytea, key, 'sha256'), iv,
            'aes-cbc/pad:pkcs'
        );
    return body || iot_private.authentication_tag(body, sensor_id, measured, key);
end
$$;
comment on function iot_private.seal(bytea, uuid, timestamptz, text, bytea) is
    'Some bytes encrypted for one reading.';

create or replace function iot_private.key_id_of(sealed bytea) returns text
language plpgsql immutable
as $$
begin
    if octet_length(sealed) < 50 or get_byte(sealed, 0) <> 1
        or octet_length(sealed) < 50 + get_byte(sealed, 1)
    then
        return null;
    end if;
    return convert_from(substring(sealed from 3 for get_byte(sealed, 1)), 'LATIN1');
end
$$;
comment on function iot_private.key_id_of(bytea) is
    'The id of the key that a value is encrypted with; null for what is no encrypted value.';

create or replace function iot_private.unseal(
    sealed bytea, sensor_id uuid, measured timestamptz, key_ids text[], keys bytea[]
) returns bytea
language plpgsql immutable
as $$
declare
    key bytea := keys[array_position(key_ids, iot_private.key_id_of(sealed))];
    body bytea := substring(sealed from 1 for greatest(octet_length(sealed) - 16, 0));
    header integer;
begin
    if key is null or substring(sealed from octet_length(sealed) - 15)
        <> iot_private.authentication_tag(body, sensor_id, measured, key)
    then
        return null;
    end if;
    header := 2 + get_byte(sealed, 1);
    return iot_crypto.decrypt_iv(
        substring(body from header + 17),
        iot_crypto.hmac('fleetstorm encryption'::bytea, key, 'sha256'),
        substring(body from header + 1 for 16), 'aes-cbc/pad:pkcs'
    );
end
$$;
comment on function iot_private.unseal(bytea, uuid, timestamptz, text[], bytea[]) is
    'What `seal` was given; null where the key is not among these, or where anything was changed.';

create or replace function iot_private.seal_value(
    sensor_value double precision, sent_value double precision, metadata jsonb, sensor_id uuid,
    measured timestamptz, key_id text, key bytea
) returns bytea
language plpgsql volatile
as $$
begin
    return iot_private.seal(
        convert_to(
            rpad(sensor_value::text, 24) || rpad(sent_value::text, 24)
            || coalesce(metadata::text, ''), 'UTF8'
        ),
        sensor_id, measured, key_id, key
    );
end
$$;
comment on function iot_private.seal_value(
    double precision, double precision, jsonb, uuid, timestamptz, text, bytea
) is 'A reading''s values and metadata, encrypted; the caller pins extra_float_digits at 1.';

create or replace function iot_private.sent_value_of(
    sealed bytea, sensor_id uuid, measured timestamptz, key_ids text[], keys bytea[]
) returns double precision
language plpgsql immutable
as $$
begin
    return btrim(convert_from(
        substring(iot_private.unseal(sealed, sensor_id, measured, key_ids, keys) from 25 for 24),
        'UTF8'
    ))::double precision;
end
$$;
comment on function iot_private.sent_value_of(bytea, uuid, timestamptz, text[], bytea[]) is
    'The value as it was sent; null where it cannot be decrypted.';

create or replace function iot.encrypt_sensor_value(
    sensor_value double precision, sent_value double precision, metadata jsonb, sensor_id uuid,
    measured timestamptz, key_id text, key bytea
) returns bytea
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
as $$
begin
    return iot_private.seal_value(
        sensor_value, sent_value, metadata, sensor_id, measured, key_id, key
    );
end
$$;
comment on function iot.encrypt_sensor_value(
    double precision, double precision, jsonb, uuid, timestamptz, text, bytea
) is 'The values of one reading of a sensitive sensor, encrypted for that sensor and time.';
revoke execute on function iot.encrypt_sensor_value(
    double precision, double precision, jsonb, uuid, timestamptz, text, bytea
) from public;
grant execute on function iot.encrypt_sensor_value(
    double precision, double precision, jsonb, uuid, timestamptz, text, bytea
) to iot_ingest;

create or replace function iot.decrypt_sensor_value(
    sealed bytea, sensor_id uuid, measured timestamptz, key_ids text[], keys bytea[],
    out sensor_value double precision, out sent_value double precision, out metadata jsonb
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    plain text := convert_from(
        iot_private.unseal(sealed, sensor_id, measured, key_ids, keys), 'UTF8'
    );
    key_id text := iot_private.key_id_of(sealed);
begin
    if sealed is null then
        return;
    elsif key_id is null then
        raise exception 'what is stored is no encrypted value' using errcode = 'data_corrupted';
    elsif plain is null and key_id <> all (key_ids) then
        raise exception 'it is encrypted with the key "%", which is not among the keys given', key_id
            using errcode = 'undefined_object';
    elsif plain is null then
        raise exception 'it cannot be decrypted with the key "%": that is not the key it was encrypted'
            ' with, or what is stored was changed', key_id using errcode = 'data_corrupted';
    end if;
    sensor_value := btrim(substring(plain from 1 for 24))::double precision;
    sent_value := btrim(substring(plain from 25 for 24))::double precision;
    metadata := nullif(substring(plain from 49), '')::jsonb;
end
$$;
comment on function iot.decrypt_sensor_value(bytea, uuid, timestamptz, text[], bytea[]) is
    'The values and metadata of one reading of a sensitive sensor; raises undefined_object where the'
    ' key is not given, data_corrupted where it is another one or anything was changed.';
revoke execute on function iot.decrypt_sensor_value(
    bytea, uuid, timestamptz, text[], bytea[]
) from public;
grant execute on function iot.decrypt_sensor_value(bytea, uuid, timestamptz, text[], bytea[])
    to iot_api;
