-- name: audit_of(organization_id, subject_id, count)
-- What was done to one thing of an organization, newest first.
select
    audit_id, subject_kind, subject_id, action, from_state, to_state, actor, reason, occurred_at,
    recorded_at
from iot.audit_log
where organization_id = :organization_id and subject_id = :subject_id
order by audit_id desc
limit :count;
