"""How true values move: one signal a sensor, a value for any tick of it.

Owns signal models and the recordings they replay. Entry: `Sampler.true_values`, and `check` before
a run. Comes after `load` on the way of a reading; knows only `draws`, and is called by the shard
and by `faults`.
"""

from fleetsim.signals.sampler import Sampler, check

__all__ = ["Sampler", "check"]
