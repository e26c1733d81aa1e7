"""How a timeline is written."""

from typing import Any

import pytest

from fleetconf.errors import ConfigError
from fleetconf.place import Place
from fleetsim.errors import PlanError
from fleetsim.faults.kinds import spike
from fleetstorm.timeline.actions import Moment
from fleetstorm.timeline.actions.sensor_fault import Settings as SensorFaultAction
from fleetstorm.timeline.language import read_entry

PLACE = Place("timeline[0]")


def test_an_entry_is_a_time_and_an_action() -> None:
    fault = {"kind": "spike", "magnitude": 3, "probability": "10%"}
    entry = read_entry({"at": "1m", "sensor_fault": {"fault": fault, "for": "10s"}}, PLACE)
    expected = SensorFaultAction(fault=spike.Settings(magnitude=3.0, probability=0.1), for_=10.0)
    assert (entry.at_s, entry.name, entry.action) == (60.0, "sensor_fault", expected)


def test_a_fault_without_an_end_lasts_as_long_as_the_load() -> None:
    entry = read_entry({"at": "1m", "sensor_fault": {"fault": "stuck"}}, PLACE)
    (order,) = entry.action.orders(Moment(at_us=60, start_us=0, end_us=90, order=4))
    assert (order.start_us, order.end_us, order.order, order.share) == (60, 90, 4, 1.0)


def test_a_change_of_load_carries_what_is_given() -> None:
    entry = read_entry({"at": "0s", "load": {"rate": "3k/s"}}, PLACE)
    (order,) = entry.action.orders(Moment(at_us=7, start_us=0, end_us=90, order=0))
    assert (order.at_us, order.rate, order.interval, order.profile) == (7, 3000.0, None, None)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("load", "is not an entry such as"),
        ({"load": {"rate": "1/s"}}, "timeline[0].at: this key is missing"),
        ({"at": "1s"}, "this one has no action"),
        ({"at": "1s", "load": {"rate": "1/s"}, "sensor_fault": {}}, "this one has 2 actions"),
        ({"at": "1s", "laod": {}}, "timeline[0].laod: unknown action; did you mean load?"),
        ({"at": 1, "load": {"rate": "1/s"}}, "timeline[0].at: 1 has no unit"),
        ({"at": "1s", "sensor_fault": {"fault": "stuk"}}, "did you mean stuck?"),
        ({"at": "1s", "sensor_fault": {"fault": "stuck", "share": "5%", "devices": [1]}},
         "give it a share or devices, not both"),
    ],
)  # fmt: skip
def test_a_mistake_says_where_and_what(written: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_entry(written, PLACE)
    assert said in str(caught.value)


def test_a_backlog_is_of_the_time_before_the_load_and_ends_within_it() -> None:
    backlog = {"share": "10%", "of": "1d", "interval": "1h", "within": "20s"}
    entry = read_entry({"at": "10s", "backlog": backlog}, PLACE)
    moment = Moment(at_us=110_000_000, start_us=100_000_000, end_us=130_000_000, order=2)
    (order,) = entry.action.orders(moment)
    assert (order.since_us, order.until_us) == (100_000_000 - 86_400_000_000, 100_000_000)
    with pytest.raises(PlanError, match="ends before all of it is delivered"):
        entry.action.orders(Moment(at_us=111_000_000, start_us=0, end_us=130_000_000, order=2))
