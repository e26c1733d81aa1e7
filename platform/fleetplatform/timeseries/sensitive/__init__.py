"""Readings of sensitive sensors: stored encrypted, compared, read and rotated inside the database.

`rows.py` is the way of a reading, `reader.py` what an administrator may read, `rotation.py` the
way from an old key to the active one.
"""

from fleetplatform.timeseries.sensitive.rows import find_stored, write

__all__ = ["find_stored", "write"]
