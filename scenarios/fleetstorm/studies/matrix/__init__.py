"""A matrix of runs: every combination of some values, one run each, one table of them all.

`cells.py` is the plan, `study.py` makes it on one PostgreSQL and one Ray, `account.py` says what
came of it.
"""
