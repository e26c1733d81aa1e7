"""The shipped recording."""

import runpy
from pathlib import Path

import fleetstorm

FOLDER = Path(fleetstorm.__path__[0]) / "scenario" / "recording"


def test_the_shipped_recording_is_what_its_maker_makes() -> None:
    made = runpy.run_path(str(FOLDER / "make.py"))["rows"]()
    assert (FOLDER / "temperature.csv").read_text().splitlines() == list(made)
