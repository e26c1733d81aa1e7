-- name: add_claim(organization_id, token_sha256, serial_number, device_type, expires_at, uses)$
-- A claim token, good from now on.
insert into iot.claim_tokens (
    organization_id, token_sha256, serial_number, device_type_id, expires_at, uses, uses_left
)
select
    :organization_id::uuid, :token_sha256::bytea, :serial_number::text,
    (select device_type_id from iot.device_types where name = :device_type::text),
    :expires_at::timestamptz, :uses::int, :uses::int
returning claim_id;

-- name: list_claims(after_value, after_id, count)
-- Claim tokens that nobody revoked, in the order in which they were made.
select
    c.organization_id, c.claim_id, c.serial_number, t.name as device_type, c.uses, c.uses_left,
    c.expires_at, c.created_at
from iot.claim_tokens as c
left join iot.device_types as t using (device_type_id)
where c.revoked_at is null
  and (c.created_at, c.claim_id) > (
      coalesce(:after_value::timestamptz, '-infinity'),
      coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
  )
order by c.created_at, c.claim_id
limit :count;

-- name: revoke_claim(organization_id, claim_id)$
-- A claim token is good no more.
update iot.claim_tokens
set revoked_at = clock_timestamp()
where organization_id = :organization_id and claim_id = :claim_id and revoked_at is null
returning claim_id;

-- name: hold_claim(organization_id, claim_id)^
-- A claim token, kept from others who would use it.
select
    c.serial_number, c.device_type_id, c.uses_left, c.revoked_at is not null as revoked,
    c.expires_at <= clock_timestamp() as expired,
    (select t.name from iot.device_types as t where t.device_type_id = c.device_type_id)
        as device_type
from iot.claim_tokens as c
where c.organization_id = :organization_id and c.claim_id = :claim_id
for no key update of c;

-- name: use_claim(organization_id, claim_id)!
-- A claim token serves one device less.
update iot.claim_tokens
set uses_left = uses_left - 1
where organization_id = :organization_id and claim_id = :claim_id;
