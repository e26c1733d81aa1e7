"""One actor's devices: they measure, report and are answered, all as arrays.

Owns the way of a reading through the simulator, one line for each room below. Entry: `shard.Shard`,
a plain class with coroutines, which `fleet` makes an actor. It calls every room of the simulator
but `fleet`.
"""
