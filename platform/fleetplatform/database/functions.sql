create or replace function iot.now() returns timestamptz
language sql stable parallel safe
-- Seconds as one number: a product of days and hours would follow the session's time zone.
return (
    select virtual_anchor + make_interval(
        secs => speed * extract(epoch from statement_timestamp() - wall_anchor)::double precision
    )
    from iot.platform_clock
);
comment on function iot.now() is
    'Virtual time, the same in a whole statement. Never a column default on the hot path.';
grant execute on function iot.now() to iot_ingest, iot_worker, iot_api;

create or replace function iot.visible_organizations(tenant uuid) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
    with recursive tree (organization_id) as (
        select tenant
        union
        select o.organization_id
        from tree as t
        join iot.organizations as o on o.parent_id = t.organization_id
    )
    select string_agg(organization_id::text, ',') from tree;
end;
comment on function iot.visible_organizations(uuid) is
    'An organization and its descendants, as app.organization_ids holds them.';
grant execute on function iot.visible_organizations(uuid) to iot_api;
