"""How readings are asked for: the last one, a span of them thinned out, what is missing or odd.

Every question is bounded, in time and in rows, and reads no partition that it does not need. Writes
nothing. Entry: `series.read`. Called by `api`; calls `registry` and `database`.
"""
