"""What one process of the platform runs: ingest, api, worker, or several of them on one port.

Owns the parts of a process from start to end. Entry: `process.run`. Called by `__main__`; calls
`device_api`, `api` and the rooms below them.
"""
