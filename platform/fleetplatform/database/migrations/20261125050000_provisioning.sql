-- migrate:up

create table iot.certificate_authorities (
    organization_id uuid not null references iot.organizations (organization_id),
    authority_id uuid not null default uuidv7(),
    name text not null check (length(name) between 1 and 200),
    certificate bytea not null check (octet_length(certificate) <= 65536),
    certificate_sha256 bytea not null check (octet_length(certificate_sha256) = 32),
    subject_sha256 bytea not null check (octet_length(subject_sha256) = 32),
    subject text not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    device_type_id uuid references iot.device_types (device_type_id),
    revocations bytea check (octet_length(revocations) <= 4194304),
    revocations_issued_at timestamptz,
    revocations_due_at timestamptz,
    revocations_count integer not null default 0 check (revocations_count >= 0),
    created_at timestamptz not null default clock_timestamp(),
    distrusted_at timestamptz,
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, authority_id),
    check ((revocations is null) = (revocations_issued_at is null))
);
comment on table iot.certificate_authorities is
    'Whose certificates an organization trusts at the first contact of its devices.';
comment on column iot.certificate_authorities.organization_id is 'Who trusts it.';
comment on column iot.certificate_authorities.authority_id is 'Identity (UUIDv7).';
comment on column iot.certificate_authorities.name is 'Name for people; not unique.';
comment on column iot.certificate_authorities.certificate is 'Its certificate, in DER.';
comment on column iot.certificate_authorities.certificate_sha256 is 'SHA-256 of the certificate.';
comment on column iot.certificate_authorities.subject_sha256 is
    'SHA-256 of its subject in DER, by which a chain of certificates finds it.';
comment on column iot.certificate_authorities.subject is 'Its subject as RFC 4514 writes it.';
comment on column iot.certificate_authorities.valid_from is
    'From when its certificate holds (wall clock).';
comment on column iot.certificate_authorities.valid_until is
    'Until when its certificate holds (wall clock).';
comment on column iot.certificate_authorities.device_type_id is
    'What a device is that nobody registered and that it certifies; null: such a device is refused.';
comment on column iot.certificate_authorities.revocations is
    'The newest list of certificates that it revoked, in DER; null: none was given.';
comment on column iot.certificate_authorities.revocations_issued_at is
    'When that list was issued (wall clock).';
comment on column iot.certificate_authorities.revocations_due_at is
    'When the next list is due, after which this one says nothing (wall clock); null: never.';
comment on column iot.certificate_authorities.revocations_count is
    'How many certificates that list revokes.';
comment on column iot.certificate_authorities.created_at is 'When it was entered (wall clock).';
comment on column iot.certificate_authorities.distrusted_at is
    'Since when it is trusted no more; null while it is.';
comment on column iot.certificate_authorities.revision is 'Moves with each change.';
create unique index idx_certificate_authorities_trusted
    on iot.certificate_authorities (organization_id, certificate_sha256)
    where distrusted_at is null;
create index idx_certificate_authorities_subject on iot.certificate_authorities (subject_sha256)
    where distrusted_at is null;
create index idx_certificate_authorities_name
    on iot.certificate_authorities (name, authority_id);

create table iot.device_certificates (
    organization_id uuid not null,
    certificate_id uuid not null default uuidv7(),
    device_id uuid not null,
    authority_id uuid not null,
    certificate_sha256 bytea not null check (octet_length(certificate_sha256) = 32),
    serial_number text not null check (length(serial_number) between 1 and 64),
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    primary key (organization_id, certificate_id),
    unique (organization_id, certificate_sha256),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id),
    foreign key (organization_id, authority_id)
        references iot.certificate_authorities (organization_id, authority_id)
);
comment on table iot.device_certificates is 'The certificates that devices have shown and proven.';
comment on column iot.device_certificates.organization_id is 'Whose device it is.';
comment on column iot.device_certificates.certificate_id is 'Identity (UUIDv7).';
comment on column iot.device_certificates.device_id is 'Whose certificate it is.';
comment on column iot.device_certificates.authority_id is 'The trusted end of its chain.';
comment on column iot.device_certificates.certificate_sha256 is
    'SHA-256 of the certificate in DER; it counts once.';
comment on column iot.device_certificates.serial_number is 'Its issuer''s number of it, in hexadecimal.';
comment on column iot.device_certificates.valid_from is 'From when it holds (wall clock).';
comment on column iot.device_certificates.valid_until is 'Until when it holds (wall clock).';
comment on column iot.device_certificates.created_at is 'When it was shown (wall clock).';
comment on column iot.device_certificates.replaced_at is
    'When the device showed the one after it (wall clock); null: it is the last.';
create index idx_device_certificates_device
    on iot.device_certificates (organization_id, device_id, certificate_id);

create table iot.claim_tokens (
    organization_id uuid not null references iot.organizations (organization_id),
    claim_id uuid not null default uuidv7(),
    token_sha256 bytea not null unique check (octet_length(token_sha256) = 32),
    serial_number text check (length(serial_number) between 1 and 200),
    device_type_id uuid references iot.device_types (device_type_id),
    uses integer not null check (uses between 1 and 1000000),
    uses_left integer not null check (uses_left between 0 and uses),
    expires_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz,
    primary key (organization_id, claim_id),
    check (serial_number is not null or device_type_id is not null)
);
comment on table iot.claim_tokens is
    'Tokens with which devices make their first contact that have no certificate.';
comment on column iot.claim_tokens.organization_id is 'Whose devices they are.';
comment on column iot.claim_tokens.claim_id is 'Identity (UUIDv7).';
comment on column iot.claim_tokens.token_sha256 is 'SHA-256 of the token; the token is not kept.';
comment on column iot.claim_tokens.serial_number is
    'The one device that it is for; null: whoever says a serial number.';
comment on column iot.claim_tokens.device_type_id is
    'The type of the device; one that nobody registered becomes that. Null: it must be registered.';
comment on column iot.claim_tokens.uses is 'How many devices it serves.';
comment on column iot.claim_tokens.uses_left is 'How many more it serves.';
comment on column iot.claim_tokens.expires_at is 'Since when it is refused (wall clock).';
comment on column iot.claim_tokens.created_at is 'When it was made (wall clock).';
comment on column iot.claim_tokens.revoked_at is
    'Since when it is refused because somebody said so; null: not so.';
create index idx_claim_tokens_created on iot.claim_tokens (created_at, claim_id);

create table iot.device_configuration_versions (
    organization_id uuid not null,
    device_id uuid not null,
    version integer not null check (version > 0),
    settings json not null check (json_typeof(settings) = 'object'),
    created_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, device_id, version),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id)
);
comment on table iot.device_configuration_versions is
    'Every configuration that a device was ever given; never changed.';
comment on column iot.device_configuration_versions.organization_id is 'Whose device it is.';
comment on column iot.device_configuration_versions.device_id is 'Whose configuration it is.';
comment on column iot.device_configuration_versions.version is 'From 1, the newest holds.';
comment on column iot.device_configuration_versions.settings is
    'Setting by name, as the device''s type specifies them; json, for their order is kept.';
comment on column iot.device_configuration_versions.created_at is 'When it was made (wall clock).';

select iot_private.protect(name)
from unnest(array[
    'iot.certificate_authorities', 'iot.device_certificates', 'iot.claim_tokens',
    'iot.device_configuration_versions'
]::regclass[]) as name;

select iot_private.limit_to_shared_groups(name)
from unnest(array[
    'iot.device_certificates', 'iot.device_configuration_versions'
]::regclass[]) as name;

create trigger next_revision before update on iot.certificate_authorities
    for each row execute function iot_private.next_revision();

grant select, insert on iot.certificate_authorities, iot.device_certificates, iot.claim_tokens,
    iot.device_configuration_versions to iot_api;
grant update (
    revocations, revocations_issued_at, revocations_due_at, revocations_count, distrusted_at
) on iot.certificate_authorities to iot_api;
grant update (replaced_at) on iot.device_certificates to iot_api;
grant update (uses_left, revoked_at) on iot.claim_tokens to iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
