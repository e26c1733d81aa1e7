"""When people are told: rules, their compiled form, the life of an alert.

Owns alert rules and alerts. Entry: `rules.check` when a rule is saved, `Rulebook.evaluate(batch)`
on the way of a reading, `life.apply(conn, transitions)` in the batch's transaction. Called by
`ingest` and `api`; reads the registry's directory.
"""
