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
