-- name: add_device_group(organization_id, name, kind, rule)^
-- A new group; a trigger gives a dynamic one its members.
insert into iot.device_groups (organization_id, name, kind, rule)
values (:organization_id, :name, :kind, :rule::jsonb)
returning organization_id, group_id, name, kind, rule, created_at, revision;

-- name: find_device_group(group_id)^
-- One group that the caller sees.
select organization_id, group_id, name, kind, rule, created_at, revision
from iot.device_groups
where group_id = :group_id;

-- name: own_device_group(organization_id, group_id)^
-- A group that an organization may change.
select kind, revision
from iot.device_groups
where organization_id = :organization_id and group_id = :group_id;

-- name: device_groups_by_name(kind, after_value, after_id, count)
-- A page of the groups that the caller sees, in order of name.
select organization_id, group_id, name, kind, rule, created_at, revision
from iot.device_groups
where (name, group_id) > (:after_value::text, :after_id::uuid)
  and kind = coalesce(:kind::text, kind)
order by name, group_id
limit :count;

-- name: device_groups_by_name_down(kind, after_value, after_id, count)
-- The same from the end.
select organization_id, group_id, name, kind, rule, created_at, revision
from iot.device_groups
where (:after_id::uuid is null or (name, group_id) < (:after_value::text, :after_id::uuid))
  and kind = coalesce(:kind::text, kind)
order by name desc, group_id desc
limit :count;

-- name: device_groups_by_time(kind, after_value, after_id, count)
-- A page of the groups that the caller sees, in order of their making.
select organization_id, group_id, name, kind, rule, created_at, revision
from iot.device_groups
where (created_at, group_id) > (:after_value::timestamptz, :after_id::uuid)
  and kind = coalesce(:kind::text, kind)
order by created_at, group_id
limit :count;

-- name: device_groups_by_time_down(kind, after_value, after_id, count)
-- The same from the newest.
select organization_id, group_id, name, kind, rule, created_at, revision
from iot.device_groups
where (created_at, group_id) < (:after_value::timestamptz, :after_id::uuid)
  and kind = coalesce(:kind::text, kind)
order by created_at desc, group_id desc
limit :count;

-- name: change_device_group(organization_id, group_id, expected, name, rule)^
-- A group's name or rule, null for what stays, if it still has the revision that is expected.
update iot.device_groups
set name = coalesce(:name::text, name), rule = coalesce(:rule::jsonb, rule)
where organization_id = :organization_id
  and group_id = :group_id
  and revision = coalesce(:expected::bigint, revision)
returning organization_id, group_id, name, kind, rule, created_at, revision;

-- name: delete_device_group(organization_id, group_id, expected)^
-- A group with its memberships, if it still has the revision that is expected of it.
delete from iot.device_groups
where organization_id = :organization_id
  and group_id = :group_id
  and revision = coalesce(:expected::bigint, revision)
returning group_id;

-- name: own_devices(organization_id, device_ids)$
-- How many of some devices an organization has.
select iot.count_devices(:organization_id::uuid, :device_ids::uuid[]);

-- name: add_members(organization_id, group_id, device_ids)$
-- Devices of an organization into a group of its own; how many were not in it.
with added as (
    insert into iot.device_group_members (organization_id, group_id, device_id)
    select :organization_id::uuid, :group_id::uuid, device_id
    from unnest(:device_ids::uuid[]) as d (device_id)
    order by device_id
    on conflict do nothing
    returning device_id
)
select count(*) from added;

-- name: remove_member(organization_id, group_id, device_id)!
-- A device out of a group.
delete from iot.device_group_members
where organization_id = :organization_id and group_id = :group_id and device_id = :device_id;
