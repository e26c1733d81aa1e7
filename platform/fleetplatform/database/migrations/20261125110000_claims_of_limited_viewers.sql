-- migrate:up

-- A claim token speaks of devices that are in no group yet, by serial number.
create policy shared_groups on iot.claim_tokens as restrictive to iot_api
    using ((select nullif(current_setting('app.device_groups', true), '')) is null)
    with check (true);

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
