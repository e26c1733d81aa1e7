"""For people and their programs: the management API.

Owns the routes beside the device side, and who may use which. Entry: `app.make_app`, a Litestar
application. Called by `roles`; calls `registry`, `alerting` and `database.clock`.
"""
