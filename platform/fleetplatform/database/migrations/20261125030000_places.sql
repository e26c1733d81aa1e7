-- migrate:up

create table iot.device_locations (
    organization_id uuid not null,
    device_id uuid not null,
    valid_from timestamptz not null check (isfinite(valid_from)),
    latitude double precision not null check (latitude between -90 and 90),
    longitude double precision not null check (longitude between -180 and 180),
    altitude_m double precision check (altitude_m > '-infinity' and altitude_m < 'infinity'),
    accuracy_m double precision check (accuracy_m >= 0 and accuracy_m < 'infinity'),
    source text not null check (source in ('api', 'reported')),
    primary key (organization_id, device_id, valid_from),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id)
);
comment on table iot.device_locations is
    'Where each device was, from when: one row a fix, and no fix twice.';
comment on column iot.device_locations.organization_id is 'Whose device it is.';
comment on column iot.device_locations.device_id is 'The device.';
comment on column iot.device_locations.valid_from is
    'Since when it was there (virtual time): the time of measurement, or what the API was told.';
comment on column iot.device_locations.latitude is 'Degrees north of the equator, WGS 84.';
comment on column iot.device_locations.longitude is 'Degrees east of Greenwich, WGS 84.';
comment on column iot.device_locations.altitude_m is 'Height in m; null: not known.';
comment on column iot.device_locations.accuracy_m is
    'Radius in m within which it was; null: not known.';
comment on column iot.device_locations.source is
    'api: somebody said so; reported: the device measured it.';

create table iot.device_places (
    organization_id uuid not null,
    device_id uuid not null,
    valid_from timestamptz not null,
    latitude double precision not null check (latitude between -90 and 90),
    longitude double precision not null check (longitude between -180 and 180),
    altitude_m double precision,
    accuracy_m double precision,
    source text not null check (source in ('api', 'reported')),
    -- The two ends of a map are one meridian, and here it has one name.
    place point not null generated always as (
        point(case when longitude = 180 then -180 else longitude end, latitude)
    ) stored,
    primary key (organization_id, device_id),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id)
) with (fillfactor = 80);
comment on table iot.device_places is
    'Where each device is: the newest of its rows in device_locations, never an older one again.';
comment on column iot.device_places.organization_id is 'Whose device it is.';
comment on column iot.device_places.device_id is 'The device.';
comment on column iot.device_places.valid_from is
    'Since when it is there (virtual time); -infinity only inside the transaction of a first fix.';
comment on column iot.device_places.latitude is 'Degrees north of the equator, WGS 84.';
comment on column iot.device_places.longitude is 'Degrees east of Greenwich, WGS 84.';
comment on column iot.device_places.altitude_m is 'Height in m; null: not known.';
comment on column iot.device_places.accuracy_m is 'Radius in m within which it is; null: not known.';
comment on column iot.device_places.source is
    'api: somebody said so; reported: the device measured it.';
comment on column iot.device_places.place is
    'Longitude (180 as -180) and latitude as a point, for the index.';
create index idx_device_places_place on iot.device_places using gist (place);

create table iot.geofences (
    organization_id uuid not null references iot.organizations (organization_id),
    geofence_id uuid not null default uuidv7() unique,
    name text not null check (length(name) between 1 and 200),
    shape jsonb not null check (jsonb_typeof(shape) = 'object'),
    latitude double precision check (latitude between -90 and 90),
    longitude double precision check (longitude between -180 and 180),
    radius_m double precision check (radius_m > 0 and radius_m < 'infinity'),
    outline polygon,
    bounds box not null,
    created_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, geofence_id),
    check (num_nulls(latitude, longitude, radius_m) in (0, 3)),
    check ((radius_m is null) = (outline is not null))
);
comment on table iot.geofences is
    'Areas whose borders devices cross; one that is deleted stays for the sake of its events.';
comment on column iot.geofences.organization_id is 'Whose area, and whose devices it speaks of.';
comment on column iot.geofences.geofence_id is 'Identity (UUIDv7).';
comment on column iot.geofences.name is 'Name, unique in the organization.';
comment on column iot.geofences.shape is 'The area as it was given: a circle or a polygon.';
comment on column iot.geofences.latitude is 'Centre of a circle, degrees; null: a polygon.';
comment on column iot.geofences.longitude is 'Centre of a circle, degrees; null: a polygon.';
comment on column iot.geofences.radius_m is 'Radius of a circle in m; null: a polygon.';
comment on column iot.geofences.outline is
    'A polygon of points (longitude, latitude), whose longitudes go on beyond 180; null: a circle.';
comment on column iot.geofences.bounds is
    'A box around it, for the index; over the antimeridian, one around the whole earth.';
comment on column iot.geofences.created_at is 'When it was made (wall clock).';
comment on column iot.geofences.deleted_at is 'Since when it is no more (wall clock); null: it is.';
comment on column iot.geofences.revision is 'Moves with each change.';
create unique index idx_geofences_name on iot.geofences (organization_id, name)
    where deleted_at is null;
create index idx_geofences_bounds on iot.geofences using gist (bounds) where deleted_at is null;

create table iot.geofence_presences (
    organization_id uuid not null,
    device_id uuid not null,
    geofence_id uuid not null,
    primary key (organization_id, device_id, geofence_id),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id),
    foreign key (organization_id, geofence_id)
        references iot.geofences (organization_id, geofence_id)
);
comment on table iot.geofence_presences is
    'Which device was inside which geofence when it was last heard of; no row: outside.';
comment on column iot.geofence_presences.organization_id is 'Whose device and geofence it is.';
comment on column iot.geofence_presences.device_id is 'The device.';
comment on column iot.geofence_presences.geofence_id is 'The geofence that it is in.';
create index idx_geofence_presences_geofence
    on iot.geofence_presences (organization_id, geofence_id, device_id);

create table iot.geofence_events (
    organization_id uuid not null,
    geofence_id uuid not null,
    occurred_at timestamptz not null,
    device_id uuid not null,
    event text not null check (event in ('enter', 'leave')),
    latitude double precision not null,
    longitude double precision not null,
    primary key (organization_id, geofence_id, occurred_at, device_id),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id),
    foreign key (organization_id, geofence_id)
        references iot.geofences (organization_id, geofence_id)
);
comment on table iot.geofence_events is
    'Which device crossed the border of which geofence, and when; of a pair they alternate.';
comment on column iot.geofence_events.organization_id is 'Whose device and geofence it is.';
comment on column iot.geofence_events.geofence_id is 'The geofence.';
comment on column iot.geofence_events.occurred_at is
    'Since when the device is on the other side (virtual time): the time of its fix.';
comment on column iot.geofence_events.device_id is 'The device.';
comment on column iot.geofence_events.event is 'enter or leave.';
comment on column iot.geofence_events.latitude is 'Where the device was then, degrees.';
comment on column iot.geofence_events.longitude is 'Where the device was then, degrees.';
create index idx_geofence_events_device
    on iot.geofence_events (organization_id, device_id, occurred_at, geofence_id);

select iot_private.protect(name)
from unnest(array[
    'iot.device_locations', 'iot.device_places', 'iot.geofences', 'iot.geofence_presences',
    'iot.geofence_events'
]::regclass[]) as name;

select iot_private.limit_to_shared_groups(name)
from unnest(array[
    'iot.device_locations', 'iot.device_places', 'iot.geofence_presences', 'iot.geofence_events'
]::regclass[]) as name;

create trigger next_revision before update on iot.geofences
    for each row execute function iot_private.next_revision();

-- Fixes, places and events are written by definer functions alone.
grant select on iot.device_locations, iot.device_places, iot.geofences, iot.geofence_presences,
    iot.geofence_events to iot_worker, iot_api;
grant insert on iot.geofences to iot_api;
grant update (name, shape, latitude, longitude, radius_m, outline, bounds, deleted_at)
    on iot.geofences to iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
