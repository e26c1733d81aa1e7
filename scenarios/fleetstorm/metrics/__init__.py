"""What is measured while a run goes on, from outside the platform.

Owns the figures of speed and cost. Its entry is `recorder.Recorder`: it is given each sample of
the fleet and polls, once a second, what the platform says of itself (/metrics), what its
processes use and what PostgreSQL's views show. It stands beside the way of a reading and touches
none; `run` starts it, and what it leaves goes into `results`.

`platform.py` reads /metrics, `processes.py` CPU and memory by part, `postgres.py` the database's
own counters (`queries.sql`), `series.py` keeps it all within bounds, `generator.py` says what the
simulator itself took. Below it are `stack`, `results` and the ledger's types.
"""
