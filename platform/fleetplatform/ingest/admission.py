"""Which readings are taken: each is judged alone, so that none spoils its neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetplatform.ingest.submission import Arrivals
from fleetplatform.registry.directory import Directory
from fleetplatform.wire.problems import Rejection


@dataclass(frozen=True, slots=True)
class Window:
    """Readings from `oldest_us` before now to `newest_us` after it are taken."""

    oldest_us: int
    newest_us: int


def judge(
    arrivals: Arrivals, directory: Directory, window: Window, *, can_encrypt: bool
) -> NDArray[np.int8]:
    """A code of `Rejection` for each reading; 0 where it is taken. The first reason found counts.

    A sensor of another organization is as unknown as one that does not exist. An organization
    with a quota of storage days gets none stored that is older. Where nothing can be encrypted, no
    reading of a sensitive sensor is taken.
    """
    codes = np.zeros(len(arrivals), dtype=np.int8)
    if not directory.sensor_count:
        codes[:] = np.where(arrivals.malformed, Rejection.MALFORMED, Rejection.UNKNOWN_SENSOR)
        return codes
    known = arrivals.sensor >= 0
    sensor = np.where(known, arrivals.sensor, 0)
    owner = directory.sensor_device[sensor]
    organization = directory.device_organization
    known &= organization[owner] == organization[arrivals.device]
    speaks = (owner == arrivals.device) | (directory.device_gateway[owner] == arrivals.device)
    earliest = arrivals.received_us - window.oldest_us
    latest = arrivals.received_us + window.newest_us
    in_window = (arrivals.t_us >= earliest) & (arrivals.t_us <= latest)
    kept_from_us = arrivals.received_us - directory.organization_oldest_us[organization[owner]]
    speaking = directory.device_active[owner] & directory.device_active[arrivals.device]
    reasons = [
        (arrivals.malformed, Rejection.MALFORMED),
        (~known, Rejection.UNKNOWN_SENSOR),
        (~speaks, Rejection.NOT_YOUR_DEVICE),
        (~np.isfinite(arrivals.raw), Rejection.NOT_A_NUMBER),
        (~in_window, Rejection.OUT_OF_WINDOW),
        (~speaking, Rejection.DEVICE_INACTIVE),
        (~directory.sensor_active[sensor], Rejection.SENSOR_INACTIVE),
        (arrivals.t_us < kept_from_us, Rejection.QUOTA_EXCEEDED),
    ]
    if not can_encrypt:
        reasons.append((directory.sensor_sensitive[sensor], Rejection.NO_KEY))
    for refused, reason in reasons:
        codes[(codes == 0) & refused] = reason
    return codes
