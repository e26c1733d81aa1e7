-- name: parameter_logging()
-- The settings of this session with which the server would log bind parameters.
select name
from unnest(array[
    'log_parameter_max_length', 'log_parameter_max_length_on_error',
    'auto_explain.log_parameter_max_length'
]) as name
where current_setting(name, true) <> '0'
order by name;

-- name: ensure_pgcrypto()$
-- Null where pgcrypto can be used from now on, or why it cannot.
select iot_private.ensure_pgcrypto();
