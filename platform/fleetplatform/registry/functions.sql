create or replace function iot.find_api_key(sha256 bytea) returns uuid
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select organization_id from iot.api_keys where token_sha256 = sha256 and revoked_at is null;
end;
comment on function iot.find_api_key(bytea) is
    'The organization of an API key by its SHA-256; null for a key that is unknown or revoked.';
revoke execute on function iot.find_api_key(bytea) from public;
grant execute on function iot.find_api_key(bytea) to iot_api;

create or replace function iot_private.record_device_move() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into iot.audit_log (
        organization_id, subject_kind, subject_id, action, from_state, to_state, actor, reason,
        occurred_at
    )
    values (
        new.organization_id, 'device', new.device_id, 'status', old.device_status,
        new.device_status,
        coalesce(nullif(current_setting('app.actor', true), ''), 'database:' || session_user),
        nullif(current_setting('app.reason', true), ''), iot.now()
    );
    return null;
end
$$;
comment on function iot_private.record_device_move() is
    'A move in the life of a device goes into the audit log with it, whoever made it.';
revoke execute on function iot_private.record_device_move() from public;

create or replace trigger record_device_move after update of device_status on iot.devices
    for each row execute function iot_private.record_device_move();
