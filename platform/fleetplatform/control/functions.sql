create or replace function iot.find_device_token(
    sha256 bytea, out organization_id uuid, out device_id uuid, out device_status text
) returns setof record
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select d.organization_id, d.device_id, d.device_status
    from iot.device_credentials as c
    join iot.devices as d using (organization_id, device_id)
    where c.token_sha256 = sha256
      and (c.revoked_at is null or c.revoked_at > clock_timestamp());
end;
comment on function iot.find_device_token(bytea) is
    'Which device shows a token, by its SHA-256; no row for one that is unknown or no longer good.';
revoke execute on function iot.find_device_token(bytea) from public;
grant execute on function iot.find_device_token(bytea) to iot_api;

create or replace function iot.find_claim_token(
    sha256 bytea, out organization_id uuid, out claim_id uuid
) returns setof record
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select c.organization_id, c.claim_id from iot.claim_tokens as c where c.token_sha256 = sha256;
end;
comment on function iot.find_claim_token(bytea) is
    'Whose a claim token is, good or not, by its SHA-256.';
revoke execute on function iot.find_claim_token(bytea) from public;
grant execute on function iot.find_claim_token(bytea) to iot_api;

create or replace function iot.find_trusted_authorities(
    subjects bytea[], out organization_id uuid, out certificate bytea
) returns setof record
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select a.organization_id, a.certificate
    from iot.certificate_authorities as a
    where a.subject_sha256 = any (subjects) and a.distrusted_at is null
    limit 500;
end;
comment on function iot.find_trusted_authorities(bytea[]) is
    'The certificate authorities of all organizations that have one of some names, by the SHA-256 of'
    ' the name in DER; 500 at most.';
revoke execute on function iot.find_trusted_authorities(bytea[]) from public;
grant execute on function iot.find_trusted_authorities(bytea[]) to iot_api;
