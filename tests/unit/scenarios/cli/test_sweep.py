"""What a sweep of runs adds to a run."""

import pytest

from fleetstorm.cli.run import folder_name, worst


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0, 0], 0), ([0, 3], 3), ([3, 1], 1), ([1, 2, 0], 2), ([2, 5], 5), ([5, 130], 130), ([], 0)],
)
def test_a_sweep_ends_with_the_worst_of_its_runs(codes: list[int], expected: int) -> None:
    assert worst(codes) == expected


def test_a_folder_says_what_sets_its_run_apart() -> None:
    assert folder_name(1, "fleet.devices=5,load.rate=20k/s", "steady") == (
        "1-fleet.devices=5,load.rate=20k_s"
    )
    assert folder_name(0, "", "steady") == "0-steady"
    assert len(folder_name(3, "a" * 500, "steady")) < 100
