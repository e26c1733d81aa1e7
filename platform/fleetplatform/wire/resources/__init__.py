"""Bodies of the management API, one file a noun.

Ids are UUIDs in text, times µs since 1970 in UTC.
"""
