-- name: find_claim_token(sha256)^
-- Whose a claim token is.
select organization_id, claim_id from iot.find_claim_token(:sha256);

-- name: find_trusted_authorities(subjects_sha256)
-- Certificate authorities of some names, and who trusts each.
select organization_id, certificate
from iot.find_trusted_authorities(:subjects_sha256::bytea[]);

-- name: find_device_token(sha256)^
-- Which device shows a token that is good.
select organization_id, device_id, device_status from iot.find_device_token(:sha256);

-- name: act_as(actor)^
-- From here on in the transaction the audit log names somebody else.
select set_config('app.actor', :actor::text, true);

-- name: add_configuration(organization_id, device_id, settings)$
-- The next configuration of a device; returns its version.
insert into iot.device_configuration_versions (organization_id, device_id, version, settings)
select :organization_id::uuid, :device_id::uuid, coalesce(max(version), 0) + 1, :settings::json
from iot.device_configuration_versions
where organization_id = :organization_id and device_id = :device_id
returning version;

-- name: read_configuration(device_id)^
-- The configuration that a device has; no row for a device that is not there, and a null version
-- for one that has none.
select d.organization_id, d.device_id, c.version, c.settings, c.created_at
from iot.devices as d
left join lateral (
    select v.version, v.settings, v.created_at
    from iot.device_configuration_versions as v
    where v.organization_id = d.organization_id and v.device_id = d.device_id
    order by v.version desc
    limit 1
) as c on true
where d.device_id = :device_id;
