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
