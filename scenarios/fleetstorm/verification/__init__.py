"""The court: what the ledger says was acknowledged, held against what the database keeps.

Owns the claims that a run can prove or disprove. Its entries are `readings.verify_readings` and
`alerts.verify_alerts`; `anomalies.verify_anomalies` measures what is no claim. It stands after the
last reading was sent: it reads the tables with SQL of its own (`queries.sql`) and the fleet's
books, and where they differ it has the fleet make the readings again and names the ones that are
wrong.

It shares no code with the platform, with what measures it, or with what starts it. Below it are
the ledger's types and `results`; `run` calls it.

`table.py` streams rows as arrays, `sensors.py` finds a row's sensor in the books, `dispute.py`
compares two sets of readings one by one, `examples.py` names what is wrong, `summary.py` makes of
all of it a part of summary.json.
"""
