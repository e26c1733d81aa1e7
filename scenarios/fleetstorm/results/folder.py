"""The folder that a run writes its results into, file by file, while and after it runs."""

import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fleetstorm.errors import InfrastructureError, UsageError
from fleetstorm.results.events import EventLog
from fleetstorm.results.summary import Summary, encode

SUMMARY = "summary.json"
TIMESERIES = "timeseries.parquet"
HISTOGRAMS = "histograms.parquet"
EVENTS = "events.jsonl"
TRUTH = "truth.parquet"
CONFIG = "config.yaml"
REPORT = "report.html"
LOGS = "logs"
_LABEL_MAX = 80


class Folder:
    """A results folder being written; `Folder.create` makes it, `close` ends it.

    A file appears whole or not at all, but for events.jsonl, which grows. All writers raise
    InfrastructureError with a sentence when the disk does not take it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / LOGS
        self.events = EventLog(path / EVENTS)

    @classmethod
    def create(cls, out: Path | None, root: Path, scenario: str, run_id: str) -> "Folder":
        """Make `out`, or `root`/<date>/<scenario>/<time>-<run id>.

        Raises UsageError if there is something in it already, InfrastructureError if it cannot be
        written.
        """
        path = out or _default_path(root, scenario, run_id)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise UsageError(f"the folder {path} is not empty; choose another with out=DIR")
            (path / LOGS).mkdir()
            return cls(path)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(
                f"{path} is a file, not a folder; choose another with out=DIR"
            ) from None
        except OSError as error:
            raise InfrastructureError(
                f"the results folder {path} cannot be written: {error.strerror or error};"
                " choose another with out=DIR"
            ) from error

    def write_config(self, yaml: str) -> None:
        """The composed configuration that reproduces the run."""
        self._write(CONFIG, lambda path: path.write_text(yaml, encoding="utf-8"))

    def write_summary(self, summary: Summary) -> None:
        """The run in numbers, and its verdict."""
        self._write(SUMMARY, lambda path: path.write_bytes(encode(summary)))

    def write_timeseries(self, table: Any) -> None:
        """A table of `tables.TIMESERIES`."""
        self._write_table(TIMESERIES, table)

    def write_histograms(self, table: Any) -> None:
        """A table of `tables.HISTOGRAMS`."""
        self._write_table(HISTOGRAMS, table)

    def write_truth(self, table: Any) -> None:
        """A table of `tables.TRUTH`."""
        self._write_table(TRUTH, table)

    def close(self) -> None:
        """Close the journal."""
        self.events.close()

    def _write_table(self, name: str, table: Any) -> None:
        self._write(name, lambda path: pq.write_table(table, path, compression="zstd"))

    def _write(self, name: str, write: Callable[[Path], object]) -> None:
        path = self.path / name
        aside = path.with_name(f".{name}.part")
        try:
            write(aside)
            os.replace(aside, path)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise InfrastructureError(
                f"{path} cannot be written: {error.strerror or error}"
            ) from error


def folder_name(number: int, label: str, scenario: str) -> str:
    """Number and what sets a run apart from others, of characters that any file system takes."""
    said = re.sub(r"[^\w.=,+-]+", "_", label or scenario)[:_LABEL_MAX].strip("_.")
    return f"{number}-{said}"


def _default_path(root: Path, scenario: str, run_id: str) -> Path:
    now = datetime.now().astimezone()
    return root / f"{now:%Y-%m-%d}" / scenario / f"{now:%H%M%S}-{run_id}"
