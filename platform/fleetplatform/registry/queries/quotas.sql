-- name: find_quotas(organization_id)^
-- What a visible organization may have; nulls without quotas.
select
    o.organization_id, q.devices, q.readings_per_s, q.rules, q.storage_days,
    coalesce(q.revision, 0) as revision
from iot.organizations as o
left join iot.organization_quotas as q using (organization_id)
where o.organization_id = :organization_id;

-- name: find_usage(organization_id, fresh_s)^
-- What a visible organization has; a rate that was counted long ago is none. Storage: the age in
-- days of the oldest day with readings.
select
    u.devices, u.rules,
    coalesce((
        select r.readings_per_s
        from iot.organization_rates as r
        where r.organization_id = :organization_id
          and r.measured_at > clock_timestamp() - make_interval(secs => :fresh_s)
    ), 0) as readings_per_s,
    coalesce((
        select greatest((iot.now() at time zone 'UTC')::date - min(d.day), 0)
        from iot.organization_days as d
        where d.organization_id = :organization_id
    ), 0) as storage_days
from iot.quota_usage(:organization_id) as u;

-- name: lock_quotas()^
-- Wait for those who count against the quotas of the transaction's organization.
select iot.lock_organization();

-- name: put_quotas(organization_id, devices, readings_per_s, rules, storage_days)!
-- The quotas of the transaction's organization, all of them.
insert into iot.organization_quotas (
    organization_id, devices, readings_per_s, rules, storage_days
)
values (:organization_id, :devices, :readings_per_s, :rules, :storage_days)
on conflict (organization_id) do update
set devices = excluded.devices,
    readings_per_s = excluded.readings_per_s,
    rules = excluded.rules,
    storage_days = excluded.storage_days;

-- name: lock_quota(kind)^
-- A quota and how much of it is used; others who count wait for this transaction.
select quota, used from iot.lock_quota(:kind);

-- name: record_rates(organizations, rates)!
-- How many readings a second some organizations send.
insert into iot.organization_rates (organization_id, readings_per_s, measured_at)
select organization_id, readings_per_s, clock_timestamp()
from unnest(:organizations::uuid[], :rates::float8[]) as r (organization_id, readings_per_s)
on conflict (organization_id) do update
set readings_per_s = excluded.readings_per_s, measured_at = excluded.measured_at;
