-- name: add_organization(organization_id, parent_id, name)!
-- A new tenant.
insert into iot.organizations (organization_id, parent_id, name)
values (:organization_id, :parent_id, :name);

-- name: add_api_key(organization_id, token_sha256)!
-- A key for a tenant's programs.
insert into iot.api_keys (organization_id, token_sha256) values (:organization_id, :token_sha256);

-- name: find_principal(sha256)^
-- Who shows a token: an organization's program or user, with a role.
select organization_id, role, actor, device_groups from iot.find_principal(:sha256);
