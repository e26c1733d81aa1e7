-- name: add_authority(organization_id, name, certificate, certificate_sha256, subject_sha256, subject, valid_from, valid_until, device_type)$
-- A certificate authority that is trusted from now on.
insert into iot.certificate_authorities (
    organization_id, name, certificate, certificate_sha256, subject_sha256, subject, valid_from,
    valid_until, device_type_id
)
select
    :organization_id::uuid, :name::text, :certificate::bytea, :certificate_sha256::bytea,
    :subject_sha256::bytea, :subject::text, :valid_from::timestamptz, :valid_until::timestamptz,
    (select device_type_id from iot.device_types where name = :device_type::text)
returning authority_id;

-- name: count_authorities(organization_id)$
-- How many certificate authorities an organization trusts.
select count(*) from iot.certificate_authorities
where organization_id = :organization_id and distrusted_at is null;

-- name: list_authorities(after_value, after_id, count)
-- Trusted certificate authorities in order of name.
select
    a.organization_id, a.authority_id, a.name, a.subject, a.certificate_sha256, a.valid_from,
    a.valid_until, t.name as device_type, a.revocations_count, a.revocations_issued_at,
    a.revocations_due_at, a.revision
from iot.certificate_authorities as a
left join iot.device_types as t using (device_type_id)
where a.distrusted_at is null
  and (a.name, a.authority_id) > (
      coalesce(:after_value::text, ''),
      coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
  )
order by a.name, a.authority_id
limit :count;

-- name: read_authority(authority_id)^
-- One trusted certificate authority.
select
    a.organization_id, a.authority_id, a.name, a.subject, a.certificate_sha256, a.valid_from,
    a.valid_until, t.name as device_type, a.revocations_count, a.revocations_issued_at,
    a.revocations_due_at, a.revision
from iot.certificate_authorities as a
left join iot.device_types as t using (device_type_id)
where a.authority_id = :authority_id and a.distrusted_at is null;

-- name: hold_authority(organization_id, authority_id)^
-- One trusted certificate authority of an organization, kept from others who would change it.
select certificate, revocations_issued_at, revision
from iot.certificate_authorities
where organization_id = :organization_id and authority_id = :authority_id
  and distrusted_at is null
for no key update;

-- name: put_revocations(organization_id, authority_id, revocations, issued_at, due_at, count)!
-- The newest list of what a certificate authority revoked.
update iot.certificate_authorities
set
    revocations = :revocations, revocations_issued_at = :issued_at, revocations_due_at = :due_at,
    revocations_count = :count
where organization_id = :organization_id and authority_id = :authority_id;

-- name: distrust_authority(organization_id, authority_id)!
-- A certificate authority that is trusted no more.
update iot.certificate_authorities
set distrusted_at = clock_timestamp()
where organization_id = :organization_id and authority_id = :authority_id;

-- name: authorities_of(organization_id)
-- All certificate authorities that an organization trusts or trusted.
select
    a.authority_id, a.certificate, a.revocations, t.name as device_type,
    a.distrusted_at is null as trusted
from iot.certificate_authorities as a
left join iot.device_types as t using (device_type_id)
where a.organization_id = :organization_id
order by a.distrusted_at is null desc, a.authority_id desc
limit 1000;

-- name: find_certificate(organization_id, certificate_sha256)$
-- The device that has shown a certificate.
select device_id from iot.device_certificates
where organization_id = :organization_id and certificate_sha256 = :certificate_sha256;

-- name: replace_certificates(organization_id, device_id)!
-- The certificates of a device give way to another.
update iot.device_certificates
set replaced_at = clock_timestamp()
where organization_id = :organization_id and device_id = :device_id and replaced_at is null;

-- name: add_certificate(organization_id, device_id, authority_id, certificate_sha256, serial_number, valid_from, valid_until)!
-- A certificate that a device has shown and proven.
insert into iot.device_certificates (
    organization_id, device_id, authority_id, certificate_sha256, serial_number, valid_from,
    valid_until
)
values (
    :organization_id, :device_id, :authority_id, :certificate_sha256, :serial_number, :valid_from,
    :valid_until
);

-- name: certificates_of(device_id, count)
-- The certificates that a device has shown, newest first.
select
    certificate_id, authority_id, certificate_sha256, serial_number, valid_from, valid_until,
    created_at, replaced_at
from iot.device_certificates
where device_id = :device_id
order by certificate_id desc
limit :count;

-- name: sees_device(device_id)$
-- Whether somebody sees a device.
select exists (select from iot.devices where device_id = :device_id);
