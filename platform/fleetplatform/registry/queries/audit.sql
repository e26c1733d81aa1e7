-- name: audit_entries(subject_id, subject_kind, actor, action, since, until, after_id, count)
-- What was done to the things of the visible organizations, newest first; a null filter takes all.
select e.*
from unnest(
    string_to_array(current_setting('app.organization_ids'), ',')::uuid[]
) as o (organization_id)
-- For each organization as many as a page holds: its index gives them without a sort.
cross join lateral (
    select
        audit_id, organization_id, subject_kind, subject_id, action, changed, from_state, to_state,
        actor, reason, occurred_at, recorded_at
    from iot.audit_log as a
    where a.organization_id = o.organization_id
      and (:subject_id::uuid is null or subject_id = :subject_id::uuid)
      and (:subject_kind::text is null or subject_kind = :subject_kind::text)
      and (:actor::text is null or actor = :actor::text)
      and (:action::text is null or action = :action::text)
      and (:since::timestamptz is null or occurred_at >= :since::timestamptz)
      and (:until::timestamptz is null or occurred_at < :until::timestamptz)
      and audit_id < coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    order by audit_id desc
    limit :count
) as e
order by e.audit_id desc
limit :count;
