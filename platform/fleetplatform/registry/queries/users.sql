-- name: add_user(organization_id, name, email, role, sees_all)^
-- A person of an organization.
insert into iot.users (organization_id, name, email, role, sees_all)
values (:organization_id, :name, :email, :role, :sees_all)
returning organization_id, user_id, name, email, role, sees_all, created_at, deactivated_at,
    revision;

-- name: find_user(user_id)^
-- One person, if they are seen.
select organization_id, user_id, name, email, role, sees_all, created_at, deactivated_at, revision
from iot.users
where user_id = :user_id;

-- name: list_users(sort, descending, after_value, after_id, count)
-- A part of the people who are seen, in order of name or of creation (as the ids are).
select organization_id, user_id, name, email, role, sees_all, created_at, deactivated_at, revision
from iot.users
where case
    when :after_id::uuid is null then true
    when :sort::text = 'name' and :descending::boolean
        then (name, user_id) < (:after_value::text, :after_id::uuid)
    when :sort = 'name' then (name, user_id) > (:after_value, :after_id)
    when :descending then user_id < :after_id
    else user_id > :after_id
end
order by
    case when :sort = 'name' and not :descending then name end,
    case when :sort = 'name' and :descending then name end desc,
    case when not :descending then user_id end,
    case when :descending then user_id end desc
limit :count;

-- name: lock_user(organization_id, user_id)^
-- One person of an organization, until the end of the transaction changed by nobody else.
select role, sees_all, deactivated_at, revision
from iot.users
where organization_id = :organization_id and user_id = :user_id
for no key update;

-- name: change_user(organization_id, user_id, name, writes_email, email, role, sees_all, active)^
-- What is known of a person, and whether their keys are good; null: as before.
update iot.users
set name = coalesce(:name::text, name),
    email = case when :writes_email::boolean then :email::text else email end,
    role = coalesce(:role::text, role),
    sees_all = coalesce(:sees_all::boolean, sees_all),
    deactivated_at = case
        when :active::boolean is null then deactivated_at
        when not :active then coalesce(deactivated_at, clock_timestamp())
    end
where organization_id = :organization_id and user_id = :user_id
returning organization_id, user_id, name, email, role, sees_all, created_at, deactivated_at,
    revision;
