-- migrate:up

create table iot.idempotency_keys (
    organization_id uuid not null,
    actor text not null check (length(actor) between 1 and 200),
    idempotency_key text not null check (length(idempotency_key) between 1 and 200),
    claim_id uuid not null default uuidv7(),
    route text not null check (length(route) between 1 and 2000),
    body_sha256 bytea not null check (octet_length(body_sha256) = 32),
    status smallint check (status between 100 and 599),
    answer bytea,
    claimed_at timestamptz not null default clock_timestamp(),
    answered_at timestamptz,
    primary key (organization_id, actor, idempotency_key),
    check ((status is null) = (answer is null) and (status is null) = (answered_at is null))
);
comment on table iot.idempotency_keys is
    'Requests that were sent with an Idempotency-Key, and what was answered to them.';
comment on column iot.idempotency_keys.organization_id is
    'Whose request it is; the nil UUID for the operator of the platform, who is no tenant.';
comment on column iot.idempotency_keys.actor is 'Who sent it, as in the audit log.';
comment on column iot.idempotency_keys.idempotency_key is 'The key, unique for its sender.';
comment on column iot.idempotency_keys.claim_id is 'Which try at the request it is (UUIDv7).';
comment on column iot.idempotency_keys.route is 'Method and path of the request.';
comment on column iot.idempotency_keys.body_sha256 is 'SHA-256 of its body.';
comment on column iot.idempotency_keys.status is 'Status of the answer; null while there is none.';
comment on column iot.idempotency_keys.answer is
    'The answer, sealed (AES-256-GCM) under a key that follows from the token which was shown:'
    ' only its bearer can have it opened.';
comment on column iot.idempotency_keys.claimed_at is 'When the request came (wall clock).';
comment on column iot.idempotency_keys.answered_at is 'When it was answered (wall clock).';
create index idx_idempotency_keys_claimed on iot.idempotency_keys (claimed_at);

select iot_private.protect('iot.idempotency_keys');
grant select, insert on iot.idempotency_keys to iot_api;
grant update (claim_id, route, body_sha256, status, answer, claimed_at, answered_at)
    on iot.idempotency_keys to iot_api;
grant select, delete on iot.idempotency_keys to iot_worker;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
