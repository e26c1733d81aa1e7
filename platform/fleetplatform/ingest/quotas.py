"""Readings a second of each organization, held by a token bucket.

A bucket fills with `rate` readings a second up to `rate × burst`. A request is let in while it
holds more than nothing, and is then charged for all of its readings: the bucket may fall below
zero, and nobody of the organization is let in until that debt is paid. So a body need not be
read to be refused, and over any T seconds an organization gets at most rate × (T + burst)
readings and the last bodies let in. The buckets are this process's own.
"""

import math
import time
from collections import Counter
from collections.abc import Callable

from fleetplatform.registry.directory import Directory


class Bucket:
    """What one organization may still send; `level` in readings, below zero in debt."""

    __slots__ = ("_at_s", "level")

    def __init__(self, level: float, now_s: float) -> None:
        self.level = level
        self._at_s = now_s

    def wait_s(self, rate: float, capacity: float, now_s: float) -> float:
        """Seconds until it holds more than nothing; 0 if it does now."""
        self.level = min(capacity, self.level + (now_s - self._at_s) * rate)
        self._at_s = now_s
        return 0.0 if self.level > 0 else math.nextafter(-self.level / rate, math.inf)


class RateQuotas:
    """wait_s(device) → 0 → charge(device, readings); `take_counts` says who sent how much."""

    def __init__(
        self, directory: Directory, burst_s: float, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = directory
        self._burst_s = burst_s
        self._clock_s = clock_s
        self._buckets: dict[int, Bucket] = {}
        self._counts: Counter[int] = Counter()

    def wait_s(self, device: int) -> float:
        """Seconds until a device's organization may send again; 0: now."""
        organization = int(self._directory.device_organization[device])
        rate = float(self._directory.organization_rate[organization])
        if rate == math.inf:
            return 0.0
        now_s, capacity = self._clock_s(), rate * self._burst_s
        bucket = self._buckets.get(organization)
        if bucket is None:
            bucket = self._buckets[organization] = Bucket(capacity, now_s)
        return bucket.wait_s(rate, capacity, now_s)

    def charge(self, device: int, readings: int) -> None:
        """Count readings against the organization's quota; a negative number gives them back."""
        organization = int(self._directory.device_organization[device])
        self._counts[organization] += readings
        bucket = self._buckets.get(organization)
        if bucket is not None:
            bucket.level -= readings

    def take_counts(self) -> Counter[int]:
        """Readings since the last call, by the organization's index in the directory."""
        counts, self._counts = self._counts, Counter()
        return counts
