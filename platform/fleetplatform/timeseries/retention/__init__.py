"""Readings that leave sensor_data: to Parquet files, or for good, as policies and quotas say.

`policies.py` what people want · `plan.py` what is due · `sweep.py` one step after the other, each
of which may be the last before a kill · `files.py` the archive on disk, `rows.py` the way from the
table to arrays, `digest.py` how both are compared · `keeper.py` the worker's side of the process
in which all of it runs (`__main__.py`) · `restore.py` the way back.
"""
