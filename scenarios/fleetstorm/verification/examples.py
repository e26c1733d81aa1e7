"""What is wrong, by name: which sensor of which device, when, what was expected and what found."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetsim.ledger.report import LedgerReport
from fleetstorm.results.proof import EXAMPLES_MAX, Example
from fleetstorm.verification.sensors import SensorIndex, make_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Floats = NDArray[np.float64]


class Namer:
    """Names readings and alerts from the books."""

    def __init__(self, ledger: LedgerReport, index: SensorIndex) -> None:
        self._ledger = ledger
        self._index = index

    def name(
        self,
        what: str,
        sensor: int,
        t_us: int,
        expected: float | str | None = None,
        found: float | str | None = None,
        rule: str | None = None,
    ) -> Example:
        """One example about a sensor of the books."""
        return Example(
            what=what,
            sensor_id=str(self._index.id(sensor)),
            serial=self._ledger.serial[sensor],
            sensor=self._ledger.sensor_name[sensor],
            t=instant(t_us),
            rule=rule,
            expected=_shown(expected),
            found=_shown(found),
        )

    def name_many(
        self,
        what: str,
        sensor: NDArray[np.signedinteger[Any]],
        t_us: NDArray[np.int64],
        expected: Floats | None = None,
        found: Floats | None = None,
    ) -> list[Example]:
        """Examples for the first of n readings."""
        return [
            self.name(
                what,
                int(sensor[i]),
                int(t_us[i]),
                None if expected is None else float(expected[i]),
                None if found is None else float(found[i]),
            )
            for i in range(min(len(sensor), EXAMPLES_MAX))
        ]


def name_stranger(what: str, high: int, low: int, t_us: int, found: float) -> Example:
    """An example about a sensor that the books do not know."""
    return Example(
        what=what, sensor_id=str(make_id(high, low)), t=instant(t_us), found=_shown(found)
    )


def choose(kinds: Sequence[Sequence[Example]]) -> tuple[Example, ...]:
    """At most 20 of all, some of every kind."""
    rounds = chain.from_iterable(zip_longest(*kinds))
    return tuple([example for example in rounds if example is not None][:EXAMPLES_MAX])


def instant(t_us: int) -> str:
    """A time in RFC 3339, to the microsecond."""
    return (_EPOCH + timedelta(microseconds=t_us)).isoformat().replace("+00:00", "Z")


def _shown(value: float | str | None) -> float | str | None:
    """JSON has no NaN and no infinity: those as text."""
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value
