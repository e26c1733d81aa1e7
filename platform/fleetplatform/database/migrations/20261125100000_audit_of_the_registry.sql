-- migrate:up

select iot_private.audit(kind.table_name, kind.subject_kind, kind.id_column)
from (values
    ('iot.organization_quotas'::regclass, 'organization_quota', 'organization_id'),
    ('iot.maintenance_records', 'maintenance_record', 'maintenance_id'),
    ('iot.geofences', 'geofence', 'geofence_id'),
    ('iot.certificate_authorities', 'certificate_authority', 'authority_id'),
    ('iot.claim_tokens', 'claim_token', 'claim_id'),
    ('iot.device_certificates', 'device_certificate', 'certificate_id'),
    ('iot.device_configuration_versions', 'device_configuration', 'device_id')
) as kind (table_name, subject_kind, id_column);

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
