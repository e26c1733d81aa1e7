"""The floor of the platform: how every room reaches PostgreSQL.

Owns connections, the tenant of a transaction, migrations, database roles, the table of the clock
and notifications. Entry: `transaction(pool, tenant)`. Calls `settings`, `wire` and nothing above.
"""
