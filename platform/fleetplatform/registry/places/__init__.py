"""Where devices are and were, and the geofences whose borders they cross.

Entry: `reported.record` in the transaction of the readings, for devices that measure their place;
`whereabouts` and `geofences` for the API. The tables are written by SQL functions alone: they lock
the places of the devices concerned, so that each fix is stored once and each border crossed once.
"""
