"""Slots follow the clock law alone, however late they are asked for."""

import pytest

from fleetplatform.wire.clock import ClockLaw
from fleetsim.shard.pace import Pace, Slot

_START_US = 1_780_272_000_000_000
_WALL_US = 1_900_000_000_000_000


def _law(speed: float = 1.0) -> ClockLaw:
    return ClockLaw(_START_US, _WALL_US, speed)


def _slots(pace: Pace, limit_us: int, now_us: int = _WALL_US) -> list[Slot]:
    slots = []
    while (slot := pace.next(limit_us, now_us)) is not None:
        slots.append(slot)
    return slots


def test_slots_cover_virtual_time_without_gap_or_overlap() -> None:
    pace = Pace(_START_US, 0.2, _law())
    slots = _slots(pace, _START_US + 1_000_000)
    assert [s.from_us - _START_US for s in slots] == [0, 200_000, 400_000, 600_000, 800_000]
    assert [s.until_us - s.from_us for s in slots] == [200_000] * 5
    assert [s.intended_us - _WALL_US for s in slots] == [
        200_000, 400_000, 600_000, 800_000, 1_000_000,
    ]  # fmt: skip


@pytest.mark.parametrize("late_us", [0, 150_000, 10_000_000])
def test_a_late_slot_moves_no_later_one(late_us: int) -> None:
    """Open model: intended times are the law's, not those of whoever asks."""
    pace = Pace(_START_US, 0.2, _law())
    late = _slots(pace, _START_US + 2_000_000, _WALL_US + late_us)
    assert [s.intended_us for s in late] == [_WALL_US + 200_000 * k for k in range(1, 11)]


def test_a_limit_between_two_slots_ends_the_first_part_there() -> None:
    pace = Pace(_START_US, 0.2, _law())
    slots = _slots(pace, _START_US + 250_000) + _slots(pace, _START_US + 500_000)
    assert [s.until_us - _START_US for s in slots] == [200_000, 250_000, 450_000, 500_000]
    assert [s.interval_us for s in slots] == [200_000, 50_000, 200_000, 50_000]


def test_a_fast_clock_makes_longer_slots_in_virtual_time() -> None:
    slots = _slots(Pace(_START_US, 0.2, _law(60.0)), _START_US + 60_000_000)
    assert [s.until_us - s.from_us for s in slots] == [12_000_000] * 5
    assert slots[-1].intended_us == _WALL_US + 1_000_000


def test_a_changed_law_holds_from_the_next_slot_on() -> None:
    pace = Pace(_START_US, 0.2, _law())
    pace.next(_START_US + 10_000_000, _WALL_US)
    pace.law = ClockLaw(_START_US + 200_000, _WALL_US + 200_000, 10.0)
    slot = pace.next(_START_US + 10_000_000, _WALL_US)
    assert slot is not None
    assert slot.until_us == _START_US + 2_200_000
    assert slot.intended_us == _WALL_US + 400_000


def test_with_a_stopped_clock_a_slot_reaches_to_the_limit_and_is_due_at_once() -> None:
    pace = Pace(_START_US, 0.2, _law(0.0))
    assert _slots(pace, _START_US + 5_000_000, 77) == [
        Slot(_START_US, _START_US + 5_000_000, 77, 0)
    ]
