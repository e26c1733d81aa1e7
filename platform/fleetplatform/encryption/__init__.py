"""The keys with which values of sensitive sensors are encrypted, and the functions that do it.

Keys stand in a file outside the database and enter it as bind parameters alone. Entry:
`keys.read_keys` in the driver, `iot.encrypt_sensor_value` and `iot.decrypt_sensor_value` in SQL,
`logging.warn_of_logged_parameters` at a process's start. Owns no table; called by `timeseries`,
`ingest`, `api` and `roles`, calls `database`.
"""
