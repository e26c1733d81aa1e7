-- name: add_device_type(name, version)!
-- A device type, if it is new; either way no other change of the registry comes between.
insert into iot.device_types (name, version) values (:name, :version)
on conflict (name) do nothing;

-- name: add_device_type_version(name, version, specification)!
-- A version of a device type, from now on the one that devices get.
with device_type as (
    update iot.device_types set version = :version where name = :name returning device_type_id
)
insert into iot.device_type_versions (device_type_id, version, specification)
select device_type_id, :version, :specification from device_type;

-- name: list_device_types(descending, after_name, count)
-- Device types as they were put last, with their versions in the order in which they were put.
select t.device_type_id, v.specification, (
    select array_agg(o.version order by o.created_at)
    from iot.device_type_versions as o
    where o.device_type_id = t.device_type_id
) as versions
from iot.device_types as t
join iot.device_type_versions as v using (device_type_id, version)
where :after_name::text is null
   or case when :descending::boolean
       then t.name < :after_name::text
       else t.name > :after_name::text
   end
order by
    case when not :descending::boolean then t.name end,
    case when :descending::boolean then t.name end desc
limit :count;

-- name: read_device_type(name, version)^
-- One version of a device type; null: the one that was put last.
select t.device_type_id, v.specification, (
    select array_agg(o.version order by o.created_at)
    from iot.device_type_versions as o
    where o.device_type_id = t.device_type_id
) as versions
from iot.device_types as t
join iot.device_type_versions as v on v.device_type_id = t.device_type_id
where t.name = :name and v.version = coalesce(:version::text, t.version);

-- name: find_device_types(names, versions)
-- Versions of device types by name; a null version is the one that was put last.
select t.device_type_id, t.name, w.version as wanted, v.specification
from unnest(:names::text[], :versions::text[]) as w (name, version)
join iot.device_types as t on t.name = w.name
join iot.device_type_versions as v
    on v.device_type_id = t.device_type_id and v.version = coalesce(w.version, t.version);
