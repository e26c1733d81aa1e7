-- migrate:up

-- In a table of its own, for every device has a new one twice in fifteen minutes: narrow rows that
-- change in their page, no trigger and no index that would have to follow.
create table iot.device_contacts (
    organization_id uuid not null,
    device_id uuid primary key,
    last_seen_at timestamptz not null,
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id)
) with (fillfactor = 45);
comment on table iot.device_contacts is 'When each device was last heard of; none before the first.';
comment on column iot.device_contacts.organization_id is 'Whose device it is.';
comment on column iot.device_contacts.device_id is 'The device.';
comment on column iot.device_contacts.last_seen_at is 'Last contact (virtual time).';

select iot_private.protect('iot.device_contacts');
select iot_private.limit_to_shared_groups('iot.device_contacts');

insert into iot.device_contacts (organization_id, device_id, last_seen_at)
select organization_id, device_id, last_seen_at from iot.devices where last_seen_at is not null;

drop view iot.iot_operations_dashboard;
alter table iot.devices drop column last_seen_at;

create view iot.iot_operations_dashboard with (security_invoker = true) as
select
    d.organization_id, d.device_id, d.serial_number, t.name as device_type, d.device_type_version,
    d.device_status, c.last_seen_at, s.sensor_count, a.open_info, a.open_warning, a.open_critical
from iot.devices as d
join iot.device_types as t using (device_type_id)
left join iot.device_contacts as c using (device_id)
cross join lateral (
    select count(*) as sensor_count
    from iot.sensors as s
    where s.organization_id = d.organization_id and s.device_id = d.device_id
) as s
cross join lateral (
    select
        count(*) filter (where severity = 'info') as open_info,
        count(*) filter (where severity = 'warning') as open_warning,
        count(*) filter (where severity = 'critical') as open_critical
    from iot.alerts as a
    where a.device_id = d.device_id and a.alert_status in ('active', 'acknowledged')
) as a;
comment on view iot.iot_operations_dashboard is
    'How each device does. Read with the rights of whoever asks: it shows the devices they see. A'
    ' part of it costs what that part has of devices, by indexes.';
comment on column iot.iot_operations_dashboard.organization_id is 'Whose device it is.';
comment on column iot.iot_operations_dashboard.device_id is 'The device.';
comment on column iot.iot_operations_dashboard.serial_number is 'Its maker''s number.';
comment on column iot.iot_operations_dashboard.device_type is 'Name of its type.';
comment on column iot.iot_operations_dashboard.device_type_version is 'The version that it has.';
comment on column iot.iot_operations_dashboard.device_status is 'Where it stands in its life.';
comment on column iot.iot_operations_dashboard.last_seen_at is
    'Last contact (virtual time); null before the first.';
comment on column iot.iot_operations_dashboard.sensor_count is 'How many sensors it has.';
comment on column iot.iot_operations_dashboard.open_info is
    'Alerts of severity info that are active or acknowledged.';
comment on column iot.iot_operations_dashboard.open_warning is 'The same of severity warning.';
comment on column iot.iot_operations_dashboard.open_critical is 'The same of severity critical.';
grant select on iot.iot_operations_dashboard to iot_worker, iot_api;

grant select, insert on iot.device_contacts to iot_ingest;
grant update (last_seen_at) on iot.device_contacts to iot_ingest;
grant select on iot.device_contacts to iot_worker, iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
