"""How readings are kept: the table sensor_data, its partitions and its layouts.

Entry: `write(conn, rows)` in the batch's transaction, after `partitions.Partitions.ensure`;
`recalibration.recalibrate` changes what is stored.
Called by `ingest` and by the worker; calls `database`.
"""

from fleetplatform.timeseries.copy import find_stored, write

__all__ = ["find_stored", "write"]
