-- name: add_maintenance(organization_id, device_id, kind, performed_at, performed_by, note, next_due_at)^
-- A record of an organization's own device; no row where it has no such device.
insert into iot.maintenance_records (
    organization_id, device_id, kind, performed_at, performed_by, note, next_due_at, actor
)
select
    d.organization_id, d.device_id, :kind::text, :performed_at::timestamptz, :performed_by::text,
    :note::text, :next_due_at::timestamptz,
    coalesce(nullif(current_setting('app.actor', true), ''), 'database:' || session_user)
from iot.devices as d
where d.organization_id = :organization_id and d.device_id = :device_id
returning
    maintenance_id, organization_id, device_id, kind, performed_at, performed_by, note,
    next_due_at, actor, created_at, revision;

-- name: list_maintenance(device_id, descending, after, after_id, count)
-- Records in order of the time at which the work was done, of one device where it is given.
select
    maintenance_id, organization_id, device_id, kind, performed_at, performed_by, note,
    next_due_at, actor, created_at, revision
from iot.maintenance_records
where (:device_id::uuid is null or device_id = :device_id::uuid)
  and case
        when :after::timestamptz is null then true
        when :descending::boolean then
            (performed_at, maintenance_id) < (:after::timestamptz, :after_id::uuid)
        else (performed_at, maintenance_id) > (:after::timestamptz, :after_id::uuid)
    end
order by
    case when not :descending::boolean then performed_at end,
    case when not :descending::boolean then maintenance_id end,
    case when :descending::boolean then performed_at end desc,
    case when :descending::boolean then maintenance_id end desc
limit :count::integer;

-- name: read_maintenance(maintenance_id)^
-- One record.
select
    maintenance_id, organization_id, device_id, kind, performed_at, performed_by, note,
    next_due_at, actor, created_at, revision
from iot.maintenance_records
where maintenance_id = :maintenance_id;

-- name: lock_maintenance(organization_id, maintenance_id)^
-- An organization's own record, which nobody changes until the transaction ends.
select kind, performed_at, performed_by, note, next_due_at, revision
from iot.maintenance_records
where organization_id = :organization_id and maintenance_id = :maintenance_id
for no key update;

-- name: change_maintenance(organization_id, maintenance_id, kind, performed_at, performed_by, note, next_due_at)^
-- A record as it is from now on.
update iot.maintenance_records
set kind = :kind, performed_at = :performed_at, performed_by = :performed_by, note = :note,
    next_due_at = :next_due_at
where organization_id = :organization_id and maintenance_id = :maintenance_id
returning
    maintenance_id, organization_id, device_id, kind, performed_at, performed_by, note,
    next_due_at, actor, created_at, revision;

-- name: due_maintenance(before, after, after_id, count)
-- What is due before a time and has not been done again since, soonest first.
select
    m.maintenance_id, m.organization_id, m.device_id, m.kind, m.performed_at, m.performed_by,
    m.note, m.next_due_at, m.actor, m.created_at, m.revision
from iot.maintenance_records as m
where m.next_due_at < :before
  and (m.next_due_at, m.maintenance_id) > (
      coalesce(:after::timestamptz, '-infinity'),
      coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
  )
  and not exists (
      select from iot.maintenance_records as later
      where later.organization_id = m.organization_id
        and later.device_id = m.device_id
        and later.kind = m.kind
        and (later.performed_at, later.maintenance_id) > (m.performed_at, m.maintenance_id)
  )
order by m.next_due_at, m.maintenance_id
limit :count::integer;
