-- name: add_credentials(organization_id, device_ids, digests)!
-- A token for each of some devices.
insert into iot.device_credentials (organization_id, device_id, token_sha256)
select :organization_id::uuid, device_id, token_sha256
from unnest(:device_ids::uuid[], :digests::bytea[]) as c (device_id, token_sha256);

-- name: find_speaker(organization_id, device_id)^
-- Whether a device of an organization may have tokens.
select d.device_status, d.gateway_id
from iot.devices as d
where d.organization_id = :organization_id and d.device_id = :device_id;

-- name: count_good_credentials(organization_id, device_id)$
-- How many tokens of a device are good now.
select count(*) from iot.device_credentials
where organization_id = :organization_id and device_id = :device_id
  and (revoked_at is null or revoked_at > clock_timestamp());

-- name: end_credentials(organization_id, device_id, overlap)$
-- The tokens of a device are good for so long and no longer; returns until when.
with ended as (
    update iot.device_credentials
    set revoked_at = clock_timestamp() + :overlap::interval
    where organization_id = :organization_id and device_id = :device_id
      and (revoked_at is null or revoked_at > clock_timestamp() + :overlap::interval)
    returning revoked_at
)
select coalesce(max(revoked_at), clock_timestamp()) from ended;
