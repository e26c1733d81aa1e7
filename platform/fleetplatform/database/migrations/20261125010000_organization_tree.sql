-- migrate:up

alter table iot.organizations
    add column if not exists revision bigint not null default nextval('iot.registry_revision');
comment on column iot.organizations.revision is 'Moves with each change.';
create or replace trigger next_revision before update on iot.organizations
    for each row execute function iot_private.next_revision();
grant update (parent_id) on iot.organizations to iot_api;

create function iot_private.check_tree() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    depth_max constant integer := 32;
    above integer;
    below integer := 1;
    is_cycle boolean := false;
begin
    if new.parent_id is null then
        return new;
    end if;
    -- Of two organizations that are moved below each other at once, the second must see the first.
    perform pg_advisory_xact_lock(hashtextextended('iot.organizations', 0));
    with recursive up (organization_id, parent_id, depth) as (
        select organization_id, parent_id, 1
        from iot.organizations
        where organization_id = new.parent_id
        union all
        select o.organization_id, o.parent_id, u.depth + 1
        from up as u
        join iot.organizations as o on o.organization_id = u.parent_id
        where u.depth <= depth_max
    )
    select max(depth), bool_or(organization_id = new.organization_id) into above, is_cycle from up;
    if is_cycle then
        raise exception 'an organization cannot lie below itself'
            using errcode = 'check_violation', schema = 'iot', table = 'organizations',
                constraint = 'organizations_no_cycle';
    end if;
    if tg_op = 'UPDATE' then
        with recursive down (organization_id, depth) as (
            select new.organization_id, 1
            union all
            select o.organization_id, d.depth + 1
            from down as d
            join iot.organizations as o on o.parent_id = d.organization_id
            where d.depth <= depth_max
        )
        select max(depth) into below from down;
    end if;
    if above + below > depth_max then
        raise exception 'the tree of organizations is at most % deep', depth_max
            using errcode = 'check_violation', schema = 'iot', table = 'organizations',
                constraint = 'organizations_depth';
    end if;
    return new;
end
$$;
comment on function iot_private.check_tree() is
    'Organizations are a tree of bounded depth: refuses a cycle, whoever asks.';
revoke execute on function iot_private.check_tree() from public;
create trigger check_tree before insert or update of parent_id on iot.organizations
    for each row execute function iot_private.check_tree();

alter table iot.users add constraint users_limited_viewer check (sees_all or role = 'viewer');
create index idx_users_keys on iot.api_keys (organization_id, user_id) where user_id is not null;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
