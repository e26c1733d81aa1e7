-- name: add_api_key(organization_id, name, role, user_id, token_sha256)^
-- A key for a tenant's programs, or for a user.
insert into iot.api_keys (organization_id, name, role, user_id, token_sha256)
values (:organization_id, :name, :role, :user_id, :token_sha256)
returning organization_id, api_key_id, name, role, user_id, created_at, revoked_at;

-- name: list_api_keys(user_id, sort, descending, after_value, after_id, count)
-- A part of the keys that are seen, all or a user's, in order of name or of creation.
select organization_id, api_key_id, name, role, user_id, created_at, revoked_at
from iot.api_keys
where (:user_id::uuid is null or user_id = :user_id::uuid)
  and case
    when :after_id::uuid is null then true
    when :sort::text = 'name' and :descending::boolean
        then (name, api_key_id) < (:after_value::text, :after_id::uuid)
    when :sort = 'name' then (name, api_key_id) > (:after_value, :after_id)
    when :descending then api_key_id < :after_id
    else api_key_id > :after_id
  end
order by
    case when :sort = 'name' and not :descending then name end,
    case when :sort = 'name' and :descending then name end desc,
    case when not :descending then api_key_id end,
    case when :descending then api_key_id end desc
limit :count;

-- name: revoke_api_key(organization_id, api_key_id)$
-- The key is refused from now on; nothing where it is not there, or no longer good.
update iot.api_keys
set revoked_at = clock_timestamp()
where organization_id = :organization_id and api_key_id = :api_key_id and revoked_at is null
returning api_key_id;

-- name: count_admin_keys(organization_id)$
-- With how many keys the organization can be governed.
select count(*)
from iot.api_keys as k
left join iot.users as u using (organization_id, user_id)
where k.organization_id = :organization_id
  and k.role = 'admin'
  and k.revoked_at is null
  and (k.user_id is null or (u.role = 'admin' and u.deactivated_at is null));
