"""How a reading goes wrong, with the interval in which it does.

Owns the faults that a timeline plants in sensors. Entry: `FaultSet.apply`. Stands between a true
value and what the device keeps; may call `devices`, `signals`, `load`, `ledger` and `draws`. All
kinds, of values and of streams, stand in one folder, `fleetsim.faults.kinds`.
"""

from fleetsim.faults.fault_set import CAUSES, FaultSet
from fleetsim.faults.sensor_fault import SensorFault

__all__ = ["CAUSES", "FaultSet", "SensorFault"]
