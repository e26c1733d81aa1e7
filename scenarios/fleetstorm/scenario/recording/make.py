"""Makes temperature.csv: a day that nobody measured, for trying out the replay of recordings.

Run it to make the file again: python make.py > temperature.csv
"""

import math
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

_STEP_MINUTES = 5
_SEED = 20_260_601


def rows() -> Iterator[str]:
    """A warm day in early summer: cold before dawn, warmest at three, a shower at five."""
    draw = random.Random(_SEED)  # noqa: S311 (weather, not a secret)
    yield "time,value"
    for minute in range(0, 24 * 60 + 1, _STEP_MINUTES):
        day = 17.5 + 7.5 * math.cos((minute / 60 - 15) / 24 * 2 * math.pi)
        shower = -4.0 * math.exp(-(((minute - 17 * 60) / 35) ** 2))
        value = day + shower + draw.gauss(0, 0.15)
        time = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(minutes=minute)
        yield f"{time:%Y-%m-%dT%H:%M:%SZ},{value:.2f}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
