"""What must follow from what the platform took: which alerts, from when to when.

Owns the meaning of alert rules, written a second time and without a line of the platform's. Entry:
`alerts.AlertOracle`. Is shown the acknowledged readings by the shard; imports nothing that could
bring the platform in, so what it needs of rules and sensors stands in protocols of its own.
"""
