"""When each device was last heard of, kept in memory until it is written down in one go."""

import numpy as np
from numpy.typing import NDArray


class LastContact:
    """note() with every batch; take() when it is written down; give_back() if that failed."""

    def __init__(self) -> None:
        self._seen_us = np.zeros(0, dtype=np.int64)

    def note(self, device: NDArray[np.int32], seen_us: int) -> None:
        """These devices (directory indexes) were heard of at a virtual time, not 0."""
        if not len(device):
            return
        missing = int(device.max()) + 1 - len(self._seen_us)
        if missing > 0:
            grown = np.zeros(max(missing, len(self._seen_us)), dtype=np.int64)
            self._seen_us = np.concatenate([self._seen_us, grown])
        self._seen_us[device] = seen_us

    def take(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The devices heard of since the last call, and when."""
        device = np.flatnonzero(self._seen_us).astype(np.int32)
        seen_us = self._seen_us[device]
        self._seen_us[device] = 0
        return device, seen_us

    def give_back(self, device: NDArray[np.int32], seen_us: NDArray[np.int64]) -> None:
        """Take back what could not be written; what is newer stays."""
        self._seen_us[device] = np.maximum(self._seen_us[device], seen_us)
