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

create or replace function iot_private.record_device_move() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into iot.audit_log (
        organization_id, subject_kind, subject_id, action, from_state, to_state, actor, reason,
        occurred_at
    )
    values (
        new.organization_id, 'device', new.device_id, 'status', old.device_status,
        new.device_status,
        coalesce(nullif(current_setting('app.actor', true), ''), 'database:' || session_user),
        nullif(current_setting('app.reason', true), ''), iot.now()
    );
    return null;
end
$$;
comment on function iot_private.record_device_move() is
    'A move in the life of a device goes into the audit log with it, whoever made it.';
revoke execute on function iot_private.record_device_move() from public;

create or replace trigger record_device_move after update of device_status on iot.devices
    for each row execute function iot_private.record_device_move();

create or replace function iot.lock_quota(kind text, out quota bigint, out used bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
begin
    if not exists (select from iot.organization_quotas where organization_id = own) then
        return;
    end if;
    -- Whoever counts holds the organization until it commits what it counted for.
    perform from iot.organizations where organization_id = own for no key update;
    select case kind when 'devices' then devices when 'rules' then rules end
    into quota
    from iot.organization_quotas
    where organization_id = own;
    if quota is not null and kind = 'devices' then
        select count(*) into used
        from iot.devices
        where organization_id = own and device_status <> 'decommissioned';
    elsif quota is not null then
        select count(*) into used from iot.alert_rules where organization_id = own and is_active;
    end if;
end
$$;
comment on function iot.lock_quota(text) is
    'A quota of the transaction''s organization and how much of it is used; null without one. With'
    ' a quota, others who ask wait until this transaction ends, so that two cannot take the same.';
revoke execute on function iot.lock_quota(text) from public;
grant execute on function iot.lock_quota(text) to iot_api;

create or replace function iot.lock_organization() returns void
language sql security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select
    from iot.organizations
    where organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    for no key update;
end;
comment on function iot.lock_organization() is
    'Wait for those who count against the quotas of the transaction''s organization, and keep them'
    ' waiting until it ends.';
revoke execute on function iot.lock_organization() from public;
grant execute on function iot.lock_organization() to iot_api;

create or replace function iot.quota_usage(
    organization uuid, out devices bigint, out rules bigint
) returns setof record
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select
        (
            select count(*) from iot.devices as d
            where d.organization_id = organization and d.device_status <> 'decommissioned'
        ),
        (
            select count(*) from iot.alert_rules as r
            where r.organization_id = organization and r.is_active
        )
    where organization = any (
        string_to_array(nullif(current_setting('app.organization_ids', true), ''), ',')::uuid[]
    );
end;
comment on function iot.quota_usage(uuid) is
    'What an organization of the visible set has: all of it, also for people who see a part.';
revoke execute on function iot.quota_usage(uuid) from public;
grant execute on function iot.quota_usage(uuid) to iot_api;
