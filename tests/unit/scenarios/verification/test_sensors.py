"""A row's sensor is found among those of the books by its id."""

from collections.abc import Callable

import numpy as np
import pytest

from fleetsim.ledger.report import Disposition, LedgerReport, Readings
from fleetstorm.verification.sensors import UNKNOWN, SensorIndex

Books = Callable[[Readings], LedgerReport]

READINGS = Readings(
    np.arange(500), np.arange(500), np.zeros(500), np.full(500, Disposition.ACKNOWLEDGED, np.int8)
)


def test_each_sensor_is_found_where_it_stands(books: Books) -> None:
    ledger = books(READINGS)
    order = np.random.default_rng(2).permutation(500)
    found = SensorIndex(ledger).find(ledger.sensor_high[order], ledger.sensor_low[order])
    assert found.tolist() == order.tolist()


def test_an_id_of_which_only_half_is_known_is_unknown(books: Books) -> None:
    ledger = books(READINGS)
    swapped = SensorIndex(ledger).find(ledger.sensor_high[:2], ledger.sensor_low[1:3])
    assert swapped.tolist() == [UNKNOWN, UNKNOWN]


def test_books_that_name_a_sensor_twice_are_refused(books: Books) -> None:
    ledger = books(READINGS)
    ledger.sensor_high[1], ledger.sensor_low[1] = ledger.sensor_high[0], ledger.sensor_low[0]
    with pytest.raises(ValueError, match="names a sensor twice"):
        SensorIndex(ledger)
