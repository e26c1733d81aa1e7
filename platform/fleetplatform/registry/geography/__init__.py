"""Distances and areas on the globe: what an index of a flat map needs, and SQL to decide exactly.

Entry: `shapes` for circles, boxes and polygons; in the database `iot.distance_m` and
`iot.is_inside`. It holds no table, and knows no device.
"""
