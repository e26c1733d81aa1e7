-- name: claim_idempotency_key(organization_id, actor, idempotency_key, route, body_sha256, kept, lease)$
-- Take a key for a request, if it is new, has expired, or was left without an answer; else null.
insert into iot.idempotency_keys as k (
    organization_id, actor, idempotency_key, route, body_sha256
)
values (:organization_id, :actor, :idempotency_key, :route, :body_sha256)
on conflict (organization_id, actor, idempotency_key) do update
set claim_id = excluded.claim_id, route = excluded.route, body_sha256 = excluded.body_sha256,
    status = null, answer = null, claimed_at = excluded.claimed_at, answered_at = null
where k.claimed_at < clock_timestamp() - :kept::interval
   or k.status is null
      and k.claimed_at < clock_timestamp() - :lease::interval
      and (k.route, k.body_sha256) = (excluded.route, excluded.body_sha256)
returning claim_id;

-- name: find_idempotency_key(organization_id, actor, idempotency_key)^
-- What a key was used for, and what was answered.
select route, body_sha256, status, answer
from iot.idempotency_keys
where organization_id = :organization_id and actor = :actor
  and idempotency_key = :idempotency_key;

-- name: answer_idempotency_key(organization_id, actor, idempotency_key, claim_id, status, answer)!
-- Keep what was answered to a request.
update iot.idempotency_keys
set status = :status, answer = :answer, answered_at = clock_timestamp()
where organization_id = :organization_id and actor = :actor
  and idempotency_key = :idempotency_key and claim_id = :claim_id;

-- name: release_idempotency_key(organization_id, actor, idempotency_key, claim_id)!
-- Give a key back: its request was not done, and may be sent again at once.
update iot.idempotency_keys
set claimed_at = '-infinity'
where organization_id = :organization_id and actor = :actor
  and idempotency_key = :idempotency_key and claim_id = :claim_id;

-- name: expire_idempotency_keys(kept)!
-- Forget the keys that were kept for long enough, and those that were given back.
delete from iot.idempotency_keys where claimed_at < clock_timestamp() - :kept::interval;
