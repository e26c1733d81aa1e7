-- migrate:up

create table iot.device_groups (
    organization_id uuid not null references iot.organizations (organization_id),
    group_id uuid not null default uuidv7(),
    name text not null check (length(name) between 1 and 200),
    kind text not null check (kind in ('static', 'dynamic')),
    rule jsonb check (jsonb_typeof(rule) = 'object'),
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, group_id),
    unique (organization_id, name),
    check ((kind = 'dynamic') = (rule is not null))
);
comment on table iot.device_groups is
    'Groups of devices: static, with members that are named, or dynamic, with a rule that says them.';
comment on column iot.device_groups.organization_id is 'Whose group it is.';
comment on column iot.device_groups.group_id is 'Identity (UUIDv7).';
comment on column iot.device_groups.name is 'Name, unique in the organization.';
comment on column iot.device_groups.kind is 'static or dynamic.';
comment on column iot.device_groups.rule is 'Which devices belong to a dynamic group; null: static.';
comment on column iot.device_groups.created_at is 'When it was made (wall clock).';
comment on column iot.device_groups.revision is 'Moves with each change.';

create table iot.device_group_members (
    organization_id uuid not null,
    group_id uuid not null,
    device_id uuid not null,
    added_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, group_id, device_id),
    foreign key (organization_id, group_id)
        references iot.device_groups (organization_id, group_id) on delete cascade,
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id)
);
comment on table iot.device_group_members is 'Which devices are in which group.';
comment on column iot.device_group_members.organization_id is 'Whose group and device it is.';
comment on column iot.device_group_members.group_id is 'The group.';
comment on column iot.device_group_members.device_id is 'A device in it.';
comment on column iot.device_group_members.added_at is 'Since when (wall clock).';
create index idx_device_group_members_device
    on iot.device_group_members (organization_id, device_id, group_id);
create index idx_device_group_members_group on iot.device_group_members (group_id, device_id);

create table iot.users (
    organization_id uuid not null references iot.organizations (organization_id),
    user_id uuid not null default uuidv7(),
    name text not null check (length(name) between 1 and 200),
    email text check (length(email) between 3 and 320),
    role text not null check (role in ('viewer', 'operator', 'admin')),
    sees_all boolean not null default true,
    created_at timestamptz not null default clock_timestamp(),
    deactivated_at timestamptz,
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, user_id),
    unique (organization_id, name)
);
comment on table iot.users is 'People of an organization.';
comment on column iot.users.organization_id is 'Whose user it is.';
comment on column iot.users.user_id is 'Identity (UUIDv7).';
comment on column iot.users.name is 'Name, unique in the organization.';
comment on column iot.users.email is 'Where they are written to; null: not known.';
comment on column iot.users.role is 'viewer, operator or admin: each may what those before it may.';
comment on column iot.users.sees_all is
    'Whether they see all devices; otherwise those of the groups that are shared with theirs.';
comment on column iot.users.created_at is 'When they were entered (wall clock).';
comment on column iot.users.deactivated_at is
    'Since when their keys are refused; null while they are good.';
comment on column iot.users.revision is 'Moves with each change.';

create table iot.user_groups (
    organization_id uuid not null references iot.organizations (organization_id),
    user_group_id uuid not null default uuidv7(),
    name text not null check (length(name) between 1 and 200),
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, user_group_id),
    unique (organization_id, name)
);
comment on table iot.user_groups is 'Groups of people, with whom groups of devices are shared.';
comment on column iot.user_groups.organization_id is 'Whose group it is.';
comment on column iot.user_groups.user_group_id is 'Identity (UUIDv7).';
comment on column iot.user_groups.name is 'Name, unique in the organization.';
comment on column iot.user_groups.created_at is 'When it was made (wall clock).';
comment on column iot.user_groups.revision is 'Moves with each change.';

create table iot.user_group_members (
    organization_id uuid not null,
    user_group_id uuid not null,
    user_id uuid not null,
    primary key (organization_id, user_group_id, user_id),
    foreign key (organization_id, user_group_id)
        references iot.user_groups (organization_id, user_group_id) on delete cascade,
    foreign key (organization_id, user_id) references iot.users (organization_id, user_id)
);
comment on table iot.user_group_members is 'Who is in which group of people.';
comment on column iot.user_group_members.organization_id is 'Whose group and user it is.';
comment on column iot.user_group_members.user_group_id is 'The group.';
comment on column iot.user_group_members.user_id is 'A user in it.';
create index idx_user_group_members_user
    on iot.user_group_members (organization_id, user_id, user_group_id);

create table iot.device_group_shares (
    organization_id uuid not null,
    user_group_id uuid not null,
    group_id uuid not null,
    primary key (organization_id, user_group_id, group_id),
    foreign key (organization_id, user_group_id)
        references iot.user_groups (organization_id, user_group_id) on delete cascade,
    foreign key (organization_id, group_id)
        references iot.device_groups (organization_id, group_id) on delete cascade
);
comment on table iot.device_group_shares is
    'Which groups of devices are shared with which groups of people.';
comment on column iot.device_group_shares.organization_id is 'Whose groups they are.';
comment on column iot.device_group_shares.user_group_id is 'The group of people.';
comment on column iot.device_group_shares.group_id is 'The group of devices that they may see.';

alter table iot.api_keys
    add column name text not null default 'first' check (length(name) between 1 and 200),
    add column role text not null default 'admin' check (role in ('viewer', 'operator', 'admin')),
    add column user_id uuid,
    add foreign key (organization_id, user_id) references iot.users (organization_id, user_id);
comment on table iot.api_keys is 'Keys with which an organization''s programs and people use the API.';
comment on column iot.api_keys.name is 'What it is for, in words for people.';
comment on column iot.api_keys.role is
    'What a program may do with it; a person''s key may what the person may, and no more than this.';
comment on column iot.api_keys.user_id is 'Whose it is; null: a program''s.';

drop function if exists iot.find_api_key(bytea);

create function iot_private.limit_to_shared_groups(device_table regclass) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Read once a statement: a setting, and then a hashed set of devices. Nothing is looked up
    -- for each row, and whoever has no limit pays for one comparison.
    execute format(
        $policy$
        create policy shared_groups on %s as restrictive to iot_api
        using (
            (select nullif(current_setting('app.device_groups', true), '')) is null
            or device_id in (
                select m.device_id
                from iot.device_group_members as m
                where m.group_id = any ((
                    select string_to_array(current_setting('app.device_groups', true), ',')
                )::uuid[])
            )
        )
        with check (true)
        $policy$,
        device_table
    );
end
$$;
comment on function iot_private.limit_to_shared_groups(regclass) is
    'Row level security of a table with a device_id: people who are limited to groups of devices see'
    ' the rows of those devices only.';

select iot_private.protect(name)
from unnest(array[
    'iot.device_groups', 'iot.device_group_members', 'iot.users', 'iot.user_groups',
    'iot.user_group_members', 'iot.device_group_shares'
]::regclass[]) as name;

select iot_private.limit_to_shared_groups(name)
from unnest(array['iot.devices', 'iot.sensors', 'iot.alerts']::regclass[]) as name;

create trigger next_revision before update on iot.device_groups
    for each row execute function iot_private.next_revision();
create trigger next_revision before update on iot.users
    for each row execute function iot_private.next_revision();
create trigger next_revision before update on iot.user_groups
    for each row execute function iot_private.next_revision();

grant select on iot.device_groups, iot.device_group_members, iot.users, iot.user_groups,
    iot.user_group_members, iot.device_group_shares to iot_worker, iot_api;
grant insert on iot.device_groups, iot.device_group_members, iot.users, iot.user_groups,
    iot.user_group_members, iot.device_group_shares to iot_api;
grant update (name, rule) on iot.device_groups to iot_api;
grant update (name, email, role, sees_all, deactivated_at) on iot.users to iot_api;
grant update (name) on iot.user_groups to iot_api;
grant delete on iot.device_groups, iot.device_group_members, iot.user_groups,
    iot.user_group_members, iot.device_group_shares to iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
