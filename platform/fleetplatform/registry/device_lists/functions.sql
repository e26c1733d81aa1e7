create or replace function iot.find_serials(
    organization uuid, serials text[]
) returns table (serial_number text, device_id uuid)
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- A plan kept from when there were few devices would go through all of many for each serial.
set plan_cache_mode = 'force_custom_plan'
as $$
begin
    return query
    select d.serial_number, d.device_id
    from iot.devices as d
    where d.organization_id = organization and d.serial_number = any (serials);
end
$$;
comment on function iot.find_serials(uuid, text[]) is
    'Those of an organization''s devices with some serial numbers that the caller sees.';
grant execute on function iot.find_serials(uuid, text[]) to iot_api;

create or replace function iot.count_devices(organization uuid, devices uuid[]) returns bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_custom_plan'
as $$
begin
    return (
        select count(*)
        from iot.devices as d
        where d.organization_id = organization and d.device_id = any (devices)
    );
end
$$;
comment on function iot.count_devices(uuid, uuid[]) is
    'How many of some devices an organization has and the caller sees.';
grant execute on function iot.count_devices(uuid, uuid[]) to iot_api;

create or replace function iot.find_devices(
    sort text, descending boolean, after_value text, after_id uuid, count integer,
    serial text, type text, status text, tags text[], member_of uuid, firmware text, gateway uuid,
    seen_since timestamptz, is_online boolean
) returns table (device_id uuid)
language plpgsql stable rows 100
set search_path = pg_catalog, pg_temp
as $$
declare
    few constant integer := 1000;
    direction constant text := case when descending then 'desc' else 'asc' end;
    pages text;
    visible constant uuid[] := string_to_array(
        nullif(current_setting('app.organization_ids', true), ''), ','
    );
    type_id uuid := (select t.device_type_id from iot.device_types as t where t.name = type);
    tagged uuid[] := array(select g.device_id from iot.find_tagged(tags, few + 1) as g);
    members uuid[] := array(
        select m.device_id from iot.device_group_members as m
        where m.group_id = member_of limit few + 1
    );
    -- Said anew for each question, so that the plan follows from what is asked.
    wanted text := concat_ws(
        ' and ', 'true',
        case when after_id is not null then format(
            '(d.%I, d.device_id) %s ($1::%s, $2)', sort, case when descending then '<' else '>' end,
            case sort when 'created_at' then 'timestamptz' else 'text' end
        ) end,
        case when serial is not null then 'd.serial_number = $3' end,
        case when type is not null then 'd.device_type_id = $4' end,
        case when status is not null then 'd.device_status = ' || quote_literal(status) end,
        case
            when tags is null then null
            -- What many devices have is soon met in the order that is asked for.
            when cardinality(tagged) > few then 'd.tags @> $5'
            else 'd.device_id = any ($11)'
        end,
        case
            when member_of is null then null
            when cardinality(members) > few then
                'exists (select from iot.device_group_members as m'
                ' where m.group_id = $6 and m.device_id = d.device_id)'
            else 'd.device_id = any ($12)'
        end,
        case when firmware is not null then 'd.firmware_version = $7' end,
        case when gateway is not null then 'd.gateway_id = $8' end,
        case
            when is_online is not null then format(
                '%s exists (select from iot.device_contacts as c'
                ' where c.device_id = d.device_id and c.last_seen_at >= $9)',
                case when is_online then '' else 'not' end
            )
        end
    );
begin
    -- A page of each organization, for an index has it in order, and of these the first. Each is
    -- named, so that the plan knows how many devices it has.
    select string_agg(
        format(
            '(select d.device_id, d.%1$I as value from iot.devices as d'
            ' where d.organization_id = %2$L and %3$s'
            ' order by d.%1$I %4$s, d.device_id %4$s limit $10)',
            sort, organization, wanted, direction
        ),
        ' union all '
    )
    into pages
    from unnest(visible) as organization;
    if pages is null then
        return;
    end if;
    return query execute format(
        'select f.device_id from (%s) as f order by f.value %s, f.device_id %2$s limit $10',
        pages, direction
    )
    using after_value, after_id, serial, type_id, tags, member_of, firmware, gateway, seen_since,
        count, tagged, members;
end
$$;
comment on function iot.find_devices(
    text, boolean, text, uuid, integer, text, text, text, text[], uuid, text, uuid, timestamptz,
    boolean
) is
    'A page of the devices that the caller sees, in order of a column; null asks for nothing. Online'
    ' is who was heard of since.';
grant execute on function iot.find_devices(
    text, boolean, text, uuid, integer, text, text, text, text[], uuid, text, uuid, timestamptz,
    boolean
) to iot_api;

create or replace function iot.find_tagged(
    wanted text[], at_most integer
) returns table (device_id uuid)
language plpgsql stable strict security definer rows 100
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_custom_plan'
as $$
begin
    return query
    select d.device_id
    from iot.devices as d
    where d.tags @> wanted
      and d.tags <> '{}'
      and d.organization_id = any (
          string_to_array(nullif(current_setting('app.organization_ids', true), ''), ',')::uuid[]
      )
    limit at_most;
end
$$;
comment on function iot.find_tagged(text[], integer) is
    'Some of the visible devices with all of some tags; none for null. Row security lets no index'
    ' answer for an operator that might tell of rows it read, and containment of arrays may.';
grant execute on function iot.find_tagged(text[], integer) to iot_api;
