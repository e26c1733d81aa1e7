"""Of which days an organization's readings are stored: how long it keeps them, without a look."""

import time
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load

DAY_US = 86_400_000_000
KNOWN_FOR_S = 600.0
"""After that a day is noted again, for what was kept of it may have been taken away."""

_EPOCH = date(1970, 1, 1)
_queries: Any = load(__file__)


class StoredDays:
    """What a process has noted; `note` asks the database for each day of an organization once."""

    def __init__(self) -> None:
        self._noted: set[tuple[int, int]] = set()
        self._since_s = time.monotonic()

    async def note(
        self,
        pool: Pool,
        organizations: Sequence[UUID],
        organization: NDArray[np.int32],
        measured_us: NDArray[np.int64],
    ) -> None:
        """Write down the days of n readings that are about to be stored.

        organizations: ids by index · organization: the index of each reading's. A batch that then
        fails leaves a day too many: usage is a figure for people.
        """
        if time.monotonic() - self._since_s > KNOWN_FOR_S:
            self._noted, self._since_s = set(), time.monotonic()
        fresh = sorted(_pairs(organization, measured_us) - self._noted)
        if fresh:
            await _queries.note_days(
                pool,
                organizations=[organizations[one] for one, _ in fresh],
                days=[_EPOCH + timedelta(days=day) for _, day in fresh],
            )
            self._noted.update(fresh)


def _pairs(
    organization: NDArray[np.int32], measured_us: NDArray[np.int64]
) -> set[tuple[int, int]]:
    """The (organization, day since 1970) pairs that occur."""
    first, last = int(measured_us.min()) // DAY_US, int(measured_us.max()) // DAY_US
    if first == last:
        return {(one, first) for one in np.flatnonzero(np.bincount(organization)).tolist()}
    day = measured_us // DAY_US
    return {
        (one, int(at))
        for at in np.unique(day)
        for one in np.flatnonzero(np.bincount(organization[day == at])).tolist()
    }
