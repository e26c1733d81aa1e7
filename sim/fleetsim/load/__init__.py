"""When a reading is due: intended times, made in advance and never slowed by the backend.

Owns the load of a run: profiles, changes of it, the instants at which each device reads its
sensors. Entry: `schedule.Schedule.due(from, until)`. The first stage on the way of a reading; it
knows no neighbour but `draws`, and is called by the shard and by `faults`.
"""
