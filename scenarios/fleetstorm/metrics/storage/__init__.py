"""What a way of storing readings costs, measured beside a run: the key `measure`.

Owns three measurements: how much a saturating load stores (`ingest.py`), how long six standard
queries take (`standard.py`, `standard.sql`) and what it costs to make the next partitions and drop
the oldest while the load is on (`roll.py`). `run` starts each at its time.
"""
