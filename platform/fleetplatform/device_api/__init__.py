"""Where devices come in: their tokens, their bodies, their receipts.

Owns the device side of the network. Entry: `http.DeviceApi`, a raw ASGI application. Called by
`roles`; calls `ingest`, and reads the registry's directory.
"""
