create or replace function iot.find_principal(
    sha256 bytea,
    out organization_id uuid, out role text, out actor text, out device_groups uuid[]
) returns setof record
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select
        k.organization_id,
        case
            when u.role = 'viewer' or k.role = 'viewer' then 'viewer'
            when u.role = 'operator' or k.role = 'operator' then 'operator'
            else 'admin'
        end,
        case when u.user_id is null then 'api_key:' || k.api_key_id else 'user:' || u.user_id end,
        case when not u.sees_all then array(
            select distinct s.group_id
            from iot.user_group_members as m
            join iot.device_group_shares as s using (organization_id, user_group_id)
            where m.organization_id = u.organization_id and m.user_id = u.user_id
        ) end
    from iot.api_keys as k
    left join iot.users as u using (organization_id, user_id)
    where k.token_sha256 = sha256 and k.revoked_at is null and u.deactivated_at is null;
end;
comment on function iot.find_principal(bytea) is
    'Who shows a token, by its SHA-256: the organization, the role, the actor of the audit log and'
    ' the groups of devices they are limited to (null: none); no row for a token that is unknown or'
    ' no longer good.';
revoke execute on function iot.find_principal(bytea) from public;
grant execute on function iot.find_principal(bytea) to iot_api;

create or replace function iot.is_within(organization uuid, ancestor uuid) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    with recursive up (organization_id, parent_id) as (
        select o.organization_id, o.parent_id
        from iot.organizations as o
        where o.organization_id = organization
        union
        select o.organization_id, o.parent_id
        from up as u
        join iot.organizations as o on o.organization_id = u.parent_id
    )
    select exists (select from up where ancestor is null or organization_id = ancestor);
end;
comment on function iot.is_within(uuid, uuid) is
    'Whether an organization is another or lies below it; a null ancestor: whether it is there.';
revoke execute on function iot.is_within(uuid, uuid) from public;
grant execute on function iot.is_within(uuid, uuid) to iot_api;

create or replace function iot.every_organization() returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(string_agg(organization_id::text, ','), '') from iot.organizations;
end;
comment on function iot.every_organization() is
    'All organizations, as app.organization_ids holds them: what the operator sees.';
revoke execute on function iot.every_organization() from public;
grant execute on function iot.every_organization() to iot_api;
