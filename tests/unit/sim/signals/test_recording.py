"""Recordings: what is read, and one sentence for what cannot be."""

from pathlib import Path

import numpy as np
import pytest

from fleetsim.errors import RecordingError
from fleetsim.signals.recording import read_recording


def _write(folder: Path, text: str) -> Path:
    path = folder / "recording.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_instants_and_seconds_are_times(tmp_path: Path) -> None:
    text = "time,value\n2026-06-01T00:00:00Z,1\n2026-06-01T02:00:10+02:00,2.5\n"
    recording = read_recording(_write(tmp_path, text))
    assert recording.time_us.tolist() == [0, 10_000_000]
    assert recording.value.tolist() == [1.0, 2.5]
    seconds = read_recording(_write(tmp_path, "value,time,note\n1,0.5,x\n3,1,y\n"))
    assert seconds.time_us.tolist() == [0, 500_000]
    assert seconds.value.tolist() == [1.0, 3.0]


def test_between_two_points_the_value_goes_straight(tmp_path: Path) -> None:
    recording = read_recording(_write(tmp_path, "time,value\n0,0\n1,10\n3,20\n"))
    times = np.array([0, 500_000, 1_000_000, 2_000_000, 3_000_000])
    assert recording.at(times).tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'has no column "time"; it has none'),
        ("t,value\n", 'has no column "time"; it has t, value'),
        ("time,v\n", 'has no column "value"; it has time, v'),
        ("time,value\n0,1\n", "has 1 rows; it takes at least 2"),
        ("time,value\n0,1\nyesterday,2\n", 'line 3: "yesterday" is not a time'),
        ("time,value\n0,1\n1,warm\n", 'line 3: "warm" is not a finite number'),
        ("time,value\n0,1\n1,nan\n", 'line 3: "nan" is not a finite number'),
        ("time,value\n0,1\n1\n", 'line 3: "None" is not a finite number'),
        ("time,value\n0,1\ninf,1\n", 'line 3: "inf" is not a time'),
        ("time,value\n5,1\n5,2\n", "line 3: the time 5 is not after the one before"),
    ],
)
def test_a_broken_recording_is_told_by_line(tmp_path: Path, text: str, problem: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    assert str(caught.value).startswith(f"the recording {path}")
    assert problem in str(caught.value)


def test_a_folder_and_binary_data_are_no_recordings(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read: Is a directory"):
        read_recording(tmp_path)
    path = tmp_path / "binary.csv"
    path.write_bytes(b"\xff\xfe\x00time")
    with pytest.raises(RecordingError, match="cannot be read"):
        read_recording(path)
