-- name: add_user_group(organization_id, name)^
-- A group of people.
insert into iot.user_groups (organization_id, name)
values (:organization_id, :name)
returning organization_id, user_group_id, name, created_at, revision;

-- name: find_user_group(user_group_id)^
-- One group of people, if it is seen.
select organization_id, user_group_id, name, created_at, revision
from iot.user_groups
where user_group_id = :user_group_id;

-- name: list_user_groups(sort, descending, after_value, after_id, count)
-- A part of the groups that are seen, in order of name or of creation (as the ids are).
select organization_id, user_group_id, name, created_at, revision
from iot.user_groups
where case
    when :after_id::uuid is null then true
    when :sort::text = 'name' and :descending::boolean
        then (name, user_group_id) < (:after_value::text, :after_id::uuid)
    when :sort = 'name' then (name, user_group_id) > (:after_value, :after_id)
    when :descending then user_group_id < :after_id
    else user_group_id > :after_id
end
order by
    case when :sort = 'name' and not :descending then name end,
    case when :sort = 'name' and :descending then name end desc,
    case when not :descending then user_group_id end,
    case when :descending then user_group_id end desc
limit :count;

-- name: lock_user_group(organization_id, user_group_id)^
-- One group of an organization, until the end of the transaction changed by nobody else.
select revision
from iot.user_groups
where organization_id = :organization_id and user_group_id = :user_group_id
for no key update;

-- name: change_user_group(organization_id, user_group_id, name)^
-- A new name; null: the same.
update iot.user_groups
set name = coalesce(:name::text, name)
where organization_id = :organization_id and user_group_id = :user_group_id
returning organization_id, user_group_id, name, created_at, revision;

-- name: drop_user_group(organization_id, user_group_id)!
-- The group goes, and with it who was in it and what was shared with it.
delete from iot.user_groups
where organization_id = :organization_id and user_group_id = :user_group_id;

-- name: add_user_group_member(organization_id, user_group_id, user_id)!
-- Somebody joins a group, if they are not in it.
insert into iot.user_group_members (organization_id, user_group_id, user_id)
values (:organization_id, :user_group_id, :user_id)
on conflict do nothing;

-- name: drop_user_group_member(organization_id, user_group_id, user_id)$
-- Somebody leaves a group.
delete from iot.user_group_members
where organization_id = :organization_id
  and user_group_id = :user_group_id
  and user_id = :user_id
returning user_id;

-- name: list_user_group_members(user_group_id, descending, after_value, after_id, count)
-- A part of who is in a group, in order of name.
select u.user_id, u.name, u.role, u.sees_all, u.deactivated_at
from iot.user_group_members as m
join iot.users as u using (organization_id, user_id)
where m.user_group_id = :user_group_id
  and case
    when :after_id::uuid is null then true
    when :descending::boolean
        then (u.name, u.user_id) < (:after_value::text, :after_id::uuid)
    else (u.name, u.user_id) > (:after_value, :after_id)
  end
order by
    case when not :descending then u.name end,
    case when :descending then u.name end desc,
    case when not :descending then u.user_id end,
    case when :descending then u.user_id end desc
limit :count;

-- name: add_device_group_share(organization_id, user_group_id, group_id)!
-- A group of devices is shared with a group of people, if it is not.
insert into iot.device_group_shares (organization_id, user_group_id, group_id)
values (:organization_id, :user_group_id, :group_id)
on conflict do nothing;

-- name: drop_device_group_share(organization_id, user_group_id, group_id)$
-- A group of devices is shared no longer.
delete from iot.device_group_shares
where organization_id = :organization_id
  and user_group_id = :user_group_id
  and group_id = :group_id
returning group_id;

-- name: list_device_group_shares(user_group_id, descending, after_value, after_id, count)
-- A part of the groups of devices that are shared with a group of people, in order of name.
select g.group_id, g.name, g.kind
from iot.device_group_shares as s
join iot.device_groups as g using (organization_id, group_id)
where s.user_group_id = :user_group_id
  and case
    when :after_id::uuid is null then true
    when :descending::boolean
        then (g.name, g.group_id) < (:after_value::text, :after_id::uuid)
    else (g.name, g.group_id) > (:after_value, :after_id)
  end
order by
    case when not :descending then g.name end,
    case when :descending then g.name end desc,
    case when not :descending then g.group_id end,
    case when :descending then g.group_id end desc
limit :count;
