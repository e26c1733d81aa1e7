"""A results folder is made once, holds whole files, and is read back as it was written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fleetstorm.errors import InfrastructureError, UsageError
from fleetstorm.results import load
from fleetstorm.results.events import read_events
from fleetstorm.results.folder import Folder
from fleetstorm.results.summary import Summary
from fleetstorm.results.tables import HISTOGRAMS, TIMESERIES, TRUTH


def test_by_default_a_folder_is_named_by_date_scenario_time_and_run(tmp_path: Path) -> None:
    folder = Folder.create(None, tmp_path / "results", "steady", "4f2a9c01")
    folder.close()
    date, scenario, name = folder.path.relative_to(tmp_path / "results").parts
    assert (len(date), scenario, name[-9:]) == (10, "steady", "-4f2a9c01")
    assert folder.logs.is_dir()


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match="is not empty; choose another with out=DIR"):
        Folder.create(tmp_path, tmp_path, "steady", "1")


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(UsageError, match="is a file, not a folder"):
        Folder.create(tmp_path / "run", tmp_path, "steady", "1")


def test_a_disk_that_cannot_be_written_is_one_sentence() -> None:
    with pytest.raises(InfrastructureError, match=r"results folder /proc/.* cannot be written: "):
        Folder.create(Path("/proc/fleetstorm/run"), Path(), "steady", "1")


def test_a_run_is_read_back(summary: Summary, finished: Callable[[Summary], Path]) -> None:
    run = load(finished(summary))
    assert run.summary == summary
    assert run.config.startswith("name: steady")
    assert run.timeseries.schema.equals(TIMESERIES)
    assert run.histograms.schema.equals(HISTOGRAMS)
    assert run.truth.to_pylist()[0]["serial"] == "run-d000000"
    assert [event["kind"] for event in run.events] == ["enrolled", "sensor_fault"]


def test_a_run_cut_short_has_empty_tables(tmp_path: Path, summary: Summary) -> None:
    folder = Folder.create(tmp_path / "run", tmp_path, "steady", "1")
    folder.write_summary(summary)
    folder.close()
    run = load(folder.path)
    assert run.timeseries.num_rows == 0
    assert run.truth.schema.equals(TRUTH)
    assert run.events == []


def test_no_half_written_file_stays(finished: Callable[[Summary], Path], summary: Summary) -> None:
    assert [path.name for path in finished(summary).iterdir() if path.name[0] == "."] == []


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no results folder: it has no summary\.json"):
        load(tmp_path)
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(UsageError, match=r"is no fleetstorm\.summary/1"):
        load(tmp_path)


def test_events_stand_in_the_file_at_once_and_a_torn_line_is_left_out(folder: Folder) -> None:
    folder.events.add("late", 17, part="postgres")
    with folder.events.path.open("ab") as file:
        file.write(b'{"kind": "torn')
    events = read_events(folder.events.path)
    assert events[-1]["kind"] == "late"
    assert events[-1]["virtual_us"] == 17
    assert events[-1]["wall_us"] > 0


def test_a_closed_journal_takes_nothing(folder: Folder) -> None:
    folder.close()
    folder.events.add("too_late")
    assert [event["kind"] for event in read_events(folder.events.path)] == [
        "enrolled",
        "sensor_fault",
    ]
