create or replace function iot_private.version_parts(version text) returns integer[]
language sql immutable strict parallel safe
return case when version ~ '^[0-9]{1,9}(\.[0-9]{1,9}){0,4}$' then
    (string_to_array(version, '.')::integer[] || array[0, 0, 0, 0])[1:5]
end;
comment on function iot_private.version_parts(text) is
    'A version of up to five numbers, as numbers to compare; null for any other.';

create or replace function iot_private.rule_condition(rule jsonb) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    parts text[] := '{}';
    key text;
    said jsonb;
    words text[];
begin
    for key, said in select * from jsonb_each(rule) loop
        words := case jsonb_typeof(said)
            when 'string' then array[said #>> '{}']
            when 'array' then array(select jsonb_array_elements_text(said))
        end;
        parts := parts || case key
            when 'all' then (
                select '(' || string_agg(iot_private.rule_condition(one), ' and ') || ')'
                from jsonb_array_elements(said) as one
            )
            when 'any' then (
                select '(' || string_agg(iot_private.rule_condition(one), ' or ') || ')'
                from jsonb_array_elements(said) as one
            )
            when 'not' then 'not ' || iot_private.rule_condition(said)
            when 'type' then format(
                'd.device_type_id in (select t.device_type_id from iot.device_types as t'
                ' where t.name = any (%L::text[]))', words
            )
            when 'status' then format('d.device_status = any (%L::text[])', words)
            when 'hardware_revision' then format('d.hardware_revision = any (%L::text[])', words)
            when 'tags' then format('d.tags @> %L::text[]', words)
            when 'serial_prefix' then format('starts_with(d.serial_number, %L)', words[1])
            when 'firmware' then iot_private.firmware_condition(said, words)
            when 'place' then format(
                'exists (select from iot.device_places as p'
                ' where p.organization_id = d.organization_id and p.device_id = d.device_id'
                ' and isfinite(p.valid_from) and iot.is_inside(p.latitude, p.longitude, %L))', said
            )
        end;
        if parts[cardinality(parts)] is null then
            raise exception 'a rule has no condition "%"', key using errcode = 'check_violation';
        end if;
    end loop;
    if parts = '{}' then
        raise exception 'a rule has at least one condition' using errcode = 'check_violation';
    end if;
    return '(' || array_to_string(parts, ' and ') || ')';
end
$$;
comment on function iot_private.rule_condition(jsonb) is
    'The rule of a dynamic group as a condition on a device d; never null for any device.';

create or replace function iot_private.firmware_condition(said jsonb, words text[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return case jsonb_typeof(said)
    when 'object' then (
        select string_agg(
            format(
                'coalesce(iot_private.version_parts(d.firmware_version) %s'
                ' iot_private.version_parts(%L), false)',
                case bound when 'below' then '<' when 'at_least' then '>=' end, version
            ),
            ' and '
        )
        from jsonb_each_text(said) as b (bound, version)
    )
    else format('coalesce(d.firmware_version = any (%L::text[]), false)', words)
end;
comment on function iot_private.firmware_condition(jsonb, text[]) is
    'What a rule says of the firmware, as a condition on a device d.';

create or replace function iot_private.regroup(
    organization uuid, devices uuid[], only_group uuid
) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- References are checked by plans that a session keeps: one from when there were few devices would
-- go through all of many for each member.
set enable_seqscan = off
as $$
declare
    dynamic record;
begin
    for dynamic in
        select g.group_id, g.rule
        from iot.device_groups as g
        where g.organization_id = organization and g.kind = 'dynamic'
          and (only_group is null or g.group_id = only_group)
        order by g.group_id
    loop
        execute format(
            $members$
            with matching as materialized (
                select d.device_id
                from iot.devices as d
                where d.organization_id = $1 and ($3 is null or d.device_id = any ($3)) and %s
            ), gone as (
                delete from iot.device_group_members as m
                where m.organization_id = $1 and m.group_id = $2
                  and ($3 is null or m.device_id = any ($3))
                  and m.device_id not in (select device_id from matching)
            )
            insert into iot.device_group_members (organization_id, group_id, device_id)
            select $1, $2, device_id from matching
            on conflict do nothing
            $members$,
            iot_private.rule_condition(dynamic.rule)
        )
        using organization, dynamic.group_id, devices;
    end loop;
end
$$;
comment on function iot_private.regroup(uuid, uuid[], uuid) is
    'Makes the members of an organization''s dynamic groups, or of one, what the rules say of some'
    ' of its devices, or of all; under the lock of its groups.';

create or replace function iot_private.hold(
    lock_name text, organization uuid, alone boolean
) returns void
language sql
set search_path = pg_catalog, pg_temp
begin atomic
    select case
        when alone then
            pg_advisory_xact_lock(hashtextextended(lock_name || ' ' || organization, 0))
        else
            pg_advisory_xact_lock_shared(hashtextextended(lock_name || ' ' || organization, 0))
    end;
end;
comment on function iot_private.hold(text, uuid, boolean) is
    'A lock of an organization until the transaction ends. iot.device_groups: shared by whoever'
    ' changes devices, alone by whoever changes groups; of a device and a rule that change at once,'
    ' the one that comes second sees the first. After it iot.device_places: shared by who changes a'
    ' device, alone by who moves one that a rule over places is held against; of a tag and a place'
    ' that change at once, the second sees both.';

create or replace function iot_private.regroup_new_devices() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    organization uuid;
begin
    for organization in select distinct organization_id from added order by 1 loop
        perform iot_private.hold('iot.device_groups', organization, false);
        if exists (
            select from iot.device_groups as g
            where g.organization_id = organization and g.kind = 'dynamic'
        ) then
            perform iot_private.regroup(
                organization,
                array(select device_id from added where organization_id = organization), null
            );
        end if;
    end loop;
    return null;
end
$$;
comment on function iot_private.regroup_new_devices() is
    'New devices join the dynamic groups whose rule they match.';

create or replace function iot_private.regroup_device() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform iot_private.hold('iot.device_groups', new.organization_id, false);
    perform iot_private.hold('iot.device_places', new.organization_id, false);
    perform iot_private.regroup(new.organization_id, array[new.device_id], null);
    return null;
end
$$;
comment on function iot_private.regroup_device() is
    'A changed device joins and leaves dynamic groups.';

create or replace function iot_private.lock_own_groups() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    organization uuid := nullif(current_setting('app.organization_id', true), '');
begin
    if organization is not null then
        perform iot_private.hold('iot.device_groups', organization, true);
    end if;
    return null;
end
$$;
comment on function iot_private.lock_own_groups() is
    'Before a statement that changes groups: wait for those who change devices. Later, a row of a'
    ' group would be held that one of them waits for.';

create or replace function iot_private.regroup_by_rule() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform iot_private.hold('iot.device_groups', new.organization_id, true);
    perform iot_private.regroup(new.organization_id, null, new.group_id);
    return null;
end
$$;
comment on function iot_private.regroup_by_rule() is
    'A new or changed rule is held against every device of the organization.';

create or replace trigger regroup_new_devices after insert on iot.devices
    referencing new table as added
    for each statement execute function iot_private.regroup_new_devices();
-- Not one for a statement: that one could not be kept to these columns, and contact, which is
-- written for every device every half minute, would pay for it.
create or replace trigger regroup_device after update of
        device_type_id, serial_number, device_status, hardware_revision, tags, firmware_version
    on iot.devices
    for each row
    when (
        (old.device_type_id, old.serial_number, old.device_status, old.hardware_revision, old.tags,
            old.firmware_version)
        is distinct from
        (new.device_type_id, new.serial_number, new.device_status, new.hardware_revision, new.tags,
            new.firmware_version)
    )
    execute function iot_private.regroup_device();
create or replace trigger lock_own_groups before insert or update or delete on iot.device_groups
    for each statement execute function iot_private.lock_own_groups();
create or replace trigger regroup_by_rule after insert or update of rule on iot.device_groups
    for each row when (new.kind = 'dynamic')
    execute function iot_private.regroup_by_rule();

create or replace function iot_private.regroup_moved_devices() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    organizations constant uuid[] := array(
        select distinct m.organization_id from moved as m order by 1
    );
    by_place record;
begin
    perform iot_private.hold('iot.device_groups', o, false) from unnest(organizations) as o;
    perform iot_private.hold('iot.device_places', g.organization_id, true)
    from (
        select distinct organization_id
        from iot.device_groups
        where organization_id = any (organizations) and rule @? '$.**.place'
        order by 1
    ) as g;
    for by_place in
        select g.organization_id, g.group_id, array(
            select m.device_id from moved as m where m.organization_id = g.organization_id
        ) as devices
        from iot.device_groups as g
        where g.organization_id = any (organizations) and g.rule @? '$.**.place'
        order by g.organization_id, g.group_id
    loop
        perform iot_private.regroup(
            by_place.organization_id, by_place.devices, by_place.group_id
        );
    end loop;
    return null;
end
$$;
comment on function iot_private.regroup_moved_devices() is
    'Devices that are elsewhere join and leave the groups whose rule is over places.';

create or replace trigger regroup_moved_devices after update on iot.device_places
    referencing new table as moved
    for each statement execute function iot_private.regroup_moved_devices();
