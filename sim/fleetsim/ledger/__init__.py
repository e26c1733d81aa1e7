"""What really happened: every reading from its emission to its end, counted and hashed.

Entry: `ledger.Ledger` in a shard, `report.LedgerReport` for the fleet, `report.Readings` for the
court. Stands beside the way of a reading: readings enter it before they are encoded, receipts
after they came back. It knows no other room and nothing of the platform.
"""
