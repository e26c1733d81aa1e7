"""What a device is: the population of a shard as arrays, and what each device keeps until sent.

Owns device types as the simulator sees them, the calibration of each sensor and the buffer.
Entry: `population.Population.of(plan, ordinals)`. Stands between the faults and the transport;
may call `transport`, `signals`, `load` and `draws`.
"""
