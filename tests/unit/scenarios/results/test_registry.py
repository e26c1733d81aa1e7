"""Metrics are found by the dotted path of a number in the summary."""

import pytest

from fleetstorm.errors import UsageError
from fleetstorm.results.registry import find, metrics, value_of
from fleetstorm.results.summary import Summary


@pytest.mark.parametrize(
    ("name", "unit", "better"),
    [
        ("verification.lost", "readings", "lower"),
        ("latency_ms.response.p99", "ms", "lower"),
        ("load.stored_per_s", "readings/s", "higher"),
        ("generator.cpu_share", "share", "lower"),
        ("verification.alerts.missed", "alerts", "lower"),
        ("resources.cpu_s.postgres", "s", "lower"),
        ("resources.bytes_per_reading_by_part.heap", "bytes", "lower"),
    ],
)
def test_a_metric_knows_its_unit_and_its_better_way(name: str, unit: str, better: str) -> None:
    metric = find(name)
    assert (metric.name, metric.unit, metric.better) == (name, unit, better)


def test_every_metric_says_what_it_is() -> None:
    assert [name for name, metric in metrics().items() if not metric.description] == []


def test_an_unknown_metric_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"no metric verification\.lots; did you mean ver.*lost\?"):
        find("verification.lots")


@pytest.mark.parametrize(
    "name",
    [
        "latency_ms.command.p99",
        "latency_ms.notification.p50",
        "verification.rollout.converged",
    ],
)
def test_what_no_run_can_fill_yet_is_no_metric(name: str) -> None:
    with pytest.raises(UsageError, match=f"nothing measures {name} yet"):
        find(name)
    assert [known for known in metrics() if "command" in known] == []


def test_a_kind_of_fault_is_named_within_a_metric() -> None:
    metric = find("verification.anomalies.by_fault.stuck.recall")
    assert (metric.unit, metric.better) == ("share", "higher")


@pytest.mark.parametrize("name", ["resources.cpu_s", "resources.cpu_s.*", "resources.cpu_s.", ""])
def test_a_family_alone_is_no_metric(name: str) -> None:
    with pytest.raises(UsageError):
        find(name)


def test_values_are_read_from_structs_and_mappings(summary: Summary) -> None:
    assert value_of(summary, "latency_ms.response.p99") == 210.0
    assert value_of(summary, "resources.cpu_s.postgres") == 31.5
    assert value_of(summary, "resources.cpu_s.broker") is None
    assert value_of(summary, "latency_ms.command.p99") is None
