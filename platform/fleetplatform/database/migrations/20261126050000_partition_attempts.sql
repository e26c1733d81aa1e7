-- migrate:up

-- The function of functions.sql has one argument more.
drop function if exists iot.ensure_partition(timestamptz, smallint);

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
