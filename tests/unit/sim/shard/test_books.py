"""What a shard's books tell the court."""

from collections.abc import Callable

import numpy as np

from fleetplatform.wire.clock import REAL_TIME
from fleetplatform.wire.resources.receipts import Receipt
from fleetsim.devices.population import Population
from fleetsim.faults import FaultSet
from fleetsim.ledger.ledger import Ledger
from fleetsim.load.schedule import Schedule
from fleetsim.settings import FleetPlan, RuleOfOracle
from fleetsim.shard.books import Books
from fleetsim.shard.dispatch import Settled
from fleetsim.signals import Sampler
from fleetsim.transport.outcome import Refused, Taken
from fleetsim.transport.report import Piece, Report

SECOND_US = 1_000_000


def test_an_alert_is_certain_if_raised_before_anything_unknown(
    make_plan: Callable[..., FleetPlan]
) -> None:
    """Readings of unknown end can no longer undo what an acknowledged one had raised."""
    plan = make_plan(1, mix={"thermometer": 1.0})
    population = Population.of(plan, np.arange(1))
    ledger = Ledger(
        np.zeros(1, np.uint64), np.ones(1, np.uint64), np.zeros(1, np.int64), np.zeros(1, np.int16)
    )
    hot = RuleOfOracle(
        name="hot", conditions={"threshold_high": 50.0}, device_type=None, sensor_type=None
    )
    books = Books(ledger, population, (hot,))
    sensor, tick = np.zeros(5, np.int32), np.arange(5)
    t_us, raw = plan.start_us + tick * SECOND_US, np.array([20.0, 99.0, 20.0, 99.0, 99.0])
    hashes = ledger.emit(sensor, tick, t_us, raw, np.zeros(5, np.int8))
    report = Report(sensor, tick, t_us, raw, hashes, plan.start_us)
    books.settle([_settled(report, 0, 2), _settled(report, 2, 3, unanswered=1)], REAL_TIME)
    books.settle([_settled(report, 3, 4)], REAL_TIME)
    schedule, sampler = Schedule(plan, population), Sampler(plan, population)
    faults = FaultSet(plan, population, schedule, sampler)
    found, _ = books.close([Piece(report, 4, 5)], [], 3, faults)
    first, *_ = found.expected_alerts
    assert (first.raised_us, first.certain) == (t_us[1], True)
    assert found.unknown_from_us.tolist() == [t_us[2]]


def _settled(report: Report, start: int, stop: int, unanswered: int = 0) -> Settled:
    """Taken; or refused, after a try that nobody answered."""
    size = stop - start
    taken = Taken(Receipt(accepted=size, duplicates=0, rejected_total=0))
    outcome = Refused("http_403") if unanswered else taken
    return Settled([Piece(report, start, stop)], outcome, 1, 2, unanswered)
