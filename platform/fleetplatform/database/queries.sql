-- name: enter_tenant(organization, actor, device_groups)^
-- The tenant's context until the end of the transaction.
select
    set_config('app.organization_id', :organization::uuid::text, true),
    set_config('app.organization_ids', iot.visible_organizations(:organization::uuid), true),
    set_config('app.actor', :actor::text, true),
    set_config('app.device_groups', :device_groups::text, true);

-- name: read_clock()^
-- The law of the clock.
select virtual_anchor, wall_anchor, speed, controllable from iot.platform_clock;

-- name: write_clock(virtual_anchor, wall_anchor, speed, channel)$
-- A new law, where it may be changed; whoever follows it is told.
with changed as (
    update iot.platform_clock
    set virtual_anchor = :virtual_anchor, wall_anchor = :wall_anchor, speed = :speed
    where controllable
    returning true
)
select pg_notify(:channel::text, '') is not null from changed;

-- name: create_clock(controllable)!
-- Real time: virtual time is the wall clock.
insert into iot.platform_clock (virtual_anchor, wall_anchor, speed, controllable)
values ('1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z', 1, :controllable)
on conflict do nothing;

-- name: role_attributes(names)
-- What the database's roles may do.
select rolname, rolcanlogin, rolbypassrls, rolsuper, rolcreaterole, rolcreatedb, rolreplication
from pg_catalog.pg_roles
where rolname = any (:names::text[]);

-- name: parameters_logged(names)
-- Roles for which the server may still log bind parameters, and by which setting.
select r.rolname, setting
from pg_catalog.pg_roles as r
cross join unnest(array['log_parameter_max_length', 'log_parameter_max_length_on_error']) as setting
where r.rolname = any (:names::text[])
  and not exists (
      select from pg_catalog.pg_db_role_setting as s
      where s.setrole = r.oid and s.setdatabase = 0 and setting || '=0' = any (s.setconfig)
  );

-- name: session_attributes()^
-- Who this session is.
select rolname, rolcanlogin, rolbypassrls, rolsuper, rolcreaterole, rolcreatedb, rolreplication
from pg_catalog.pg_roles
where rolname = current_user;

-- name: role_statement(template, name, verifier)$
-- A statement about a role, quoted by the server.
select format(:template::text, :name::text, :verifier::text);

-- name: lock(key)!
-- One at a time, until the session ends.
select pg_advisory_lock(hashtextextended(:key::text, 0));

-- name: server()^
-- What the server is, and how far its commits are to be trusted.
select
    current_setting('server_version') as version,
    current_setting('server_version_num')::int as version_number,
    current_setting('fsync')::boolean as fsync,
    current_setting('full_page_writes')::boolean as full_page_writes,
    current_setting('synchronous_commit') as synchronous_commit,
    coalesce((select ssl from pg_catalog.pg_stat_ssl where pid = pg_backend_pid()), false) as ssl,
    (select rolsuper from pg_catalog.pg_roles where rolname = current_user) as is_superuser,
    current_user::text as login;

-- name: has_database(name)$
-- Whether the server has a database.
select exists (select from pg_catalog.pg_database where datname = :name);

-- name: has_extension(name)$
-- Whether an extension can be had on this server.
select exists (select from pg_catalog.pg_available_extensions where name = :name);

-- name: make_private_schema()!
-- Where the list of migrations lies.
create schema if not exists iot_private;

-- name: applied_function_files()
-- The functions.sql files as they were last applied.
select path, sha256 from iot_private.function_files;

-- name: record_function_file(path, sha256)!
-- A functions.sql file was applied.
insert into iot_private.function_files (path, sha256)
values (:path, :sha256)
on conflict (path) do update set sha256 = excluded.sha256, applied_at = clock_timestamp();

-- name: applied_migrations()
-- The migrations that were applied, by their time stamps.
select version from iot_private.schema_migrations;
