"""Who exists and whose it is: organizations, device types, devices, sensors, credentials; what was
done to them: calibrations, maintenance, readings calibrated again.

Owns the registry's tables, one file a noun, and `directory.Directory`, all of it as arrays that
`ingest` and `alerting` read. Called by `api`, `device_api`, `ingest` and the worker; calls
`timeseries` and `database`.
"""
