"""Routes of the management API, one file a noun.

A file has `handlers`, a list of Litestar route handlers; the folder is scanned.
"""
