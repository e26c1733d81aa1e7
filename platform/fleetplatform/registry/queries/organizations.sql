-- name: add_organization(organization_id, parent_id, name)^
-- A new tenant.
insert into iot.organizations (organization_id, parent_id, name)
values (:organization_id, :parent_id, :name)
returning organization_id, parent_id, name, created_at, revision;

-- name: is_bounded(organization_id)$
-- Whether an organization, or one above it that is seen, has a quota.
select exists (
    select from iot.organization_quotas as q
    where num_nonnulls(q.devices, q.readings_per_s, q.rules, q.storage_days) > 0
      and iot.is_within(:organization_id::uuid, q.organization_id)
);

-- name: see_every_organization()^
-- As the operator sees: all of the tree, until the end of the transaction.
select set_config('app.organization_ids', iot.every_organization(), true);

-- name: is_within(organization_id, ancestor)$
-- Whether an organization is another or lies below it; a null ancestor: whether it is there.
select iot.is_within(:organization_id::uuid, :ancestor::uuid);

-- name: find_organization(organization_id)^
-- One organization, if it is seen.
select organization_id, parent_id, name, created_at, revision
from iot.organizations
where organization_id = :organization_id;

-- name: list_organizations(sort, descending, after_value, after_id, count)
-- A part of the organizations that are seen, in order of name or of creation (as the ids are).
select organization_id, parent_id, name, created_at, revision
from iot.organizations
where case
    when :after_id::uuid is null then true
    when :sort::text = 'name' and :descending::boolean
        then (name, organization_id) < (:after_value::text, :after_id::uuid)
    when :sort = 'name' then (name, organization_id) > (:after_value, :after_id)
    when :descending then organization_id < :after_id
    else organization_id > :after_id
end
order by
    case when :sort = 'name' and not :descending then name end,
    case when :sort = 'name' and :descending then name end desc,
    case when not :descending then organization_id end,
    case when :descending then organization_id end desc
limit :count;

-- name: lock_organization(organization_id)^
-- One organization, until the end of the transaction changed by nobody else.
select revision
from iot.organizations
where organization_id = :organization_id
for no key update;

-- name: change_organization(organization_id, name, moves, parent_id)^
-- A new name (null: the same), and another place in the tree if it moves.
update iot.organizations
set name = coalesce(:name::text, name),
    parent_id = case when :moves::boolean then :parent_id::uuid else parent_id end
where organization_id = :organization_id
returning organization_id, parent_id, name, created_at, revision;

-- name: find_principal(sha256)^
-- Who shows a token: an organization's program or user, with a role.
select organization_id, role, actor, device_groups from iot.find_principal(:sha256);
