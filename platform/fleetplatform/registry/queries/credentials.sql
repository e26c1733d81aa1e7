-- name: add_credentials(organization_id, device_ids, digests)!
-- A token for each of some devices.
insert into iot.device_credentials (organization_id, device_id, token_sha256)
select :organization_id::uuid, device_id, token_sha256
from unnest(:device_ids::uuid[], :digests::bytea[]) as c (device_id, token_sha256);
