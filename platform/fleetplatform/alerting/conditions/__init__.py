"""What a rule can ask of a reading, one file a condition.

A file is named after the key under which the condition stands in a rule. It has `check(limit)`,
which returns the limit as it will be used or raises ValueError with one sentence, and
`holds(value, limit)`, which answers for n readings at once.
"""
