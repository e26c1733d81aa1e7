"""Ways in which closed hours are kept, one file each.

A kind has `refresh(pool, now_us, speed)`, which the worker calls again and again, and an SQL
function iot_private.show_<kind>(), which has iot.sensor_hours read what it keeps.
"""
