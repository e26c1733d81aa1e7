"""Quantities as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetconf import units
from fleetconf.errors import UnitError


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("10s", "duration", 10.0),
        ("1h30m", "duration", 5400.0),
        ("500ms", "duration", 0.5),
        ("20k/s", "rate", 20_000.0),
        ("300/m", "rate", 5.0),
        ("5%", "share", 0.05),
        ("64MiB", "size", 64 * 2**20),
        ("10MB", "size", 10_000_000),
        ("1M", "count", 1_000_000),
        (500, "count", 500),
        ("1970-01-01T00:00:01Z", "instant", 1_000_000),
    ],
)
def test_a_quantity_is_read_in_its_base_unit(text: str | int, unit: str, expected: float) -> None:
    assert units.parse(text, unit) == expected


def test_now_is_an_instant_that_is_not_known_yet() -> None:
    assert units.parse("now", "instant") is None


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (10, "duration"),
        ("10", "duration"),
        ("10 parsecs", "duration"),
        ("-10s", "duration"),
        (-3, "count"),
        ("2.5", "count"),
        (True, "count"),
        ("20k", "rate"),
        (5, "share"),
        ("64", "size"),
        ("2026-06-01", "instant"),
        (None, "duration"),
    ],
)
def test_what_has_no_unit_or_another_one_is_refused(text: object, unit: str) -> None:
    with pytest.raises(UnitError):
        units.parse(text, unit)  # type: ignore[arg-type]


def test_a_time_that_yaml_took_for_a_number_is_explained() -> None:
    """YAML 1.1 reads 1:30 as ninety."""
    with pytest.raises(UnitError, match=r"YAML reads 1:30 as 90"):
        units.parse(90, "duration")


@given(st.integers(1, 10**13))
def test_a_duration_survives_being_written_and_read(microseconds: int) -> None:
    written = units.format(microseconds / 1e6, "duration")
    assert units.parse(written, "duration") == pytest.approx(microseconds / 1e6, abs=1e-9)


@given(st.integers(0, 2**45))
def test_a_size_survives_being_written_and_read(size: int) -> None:
    assert units.parse(units.format(size, "size"), "size") == size


@given(st.integers(1, 10**9))
def test_a_rate_survives_being_written_and_read(rate: int) -> None:
    assert units.parse(units.format(rate, "rate"), "rate") == pytest.approx(rate)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1.3333, "1.33s"), (60, "1m"), (90, "90s"), (0.5, "500ms"), (5400, "90m"), (3661, "1.02h"),
     (0, "0s"), (1e-6, "1us")],
)  # fmt: skip
def test_a_duration_to_read_has_three_significant_figures(seconds: float, expected: str) -> None:
    assert units.rounded(seconds) == expected
