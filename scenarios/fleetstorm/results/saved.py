"""A run read back from the folder that it left."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from fleetstorm.errors import UsageError
from fleetstorm.results import folder, tables
from fleetstorm.results.events import read_events
from fleetstorm.results.summary import SCHEMA, Summary, decode


@dataclass
class Run:
    """A run's files; the tables are read when they are asked for, empty where there is no file."""

    path: Path
    summary: Summary
    config: str = field(repr=False, default="")

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """What happened, in order."""
        return read_events(self.path / folder.EVENTS)

    @cached_property
    def timeseries(self) -> Any:
        """A table of `tables.TIMESERIES`."""
        return self._table(folder.TIMESERIES, tables.TIMESERIES)

    @cached_property
    def histograms(self) -> Any:
        """A table of `tables.HISTOGRAMS`."""
        return self._table(folder.HISTOGRAMS, tables.HISTOGRAMS)

    @cached_property
    def truth(self) -> Any:
        """A table of `tables.TRUTH`."""
        return self._table(folder.TRUTH, tables.TRUTH)

    def _table(self, name: str, schema: Any) -> Any:
        path = self.path / name
        return pq.read_table(path) if path.exists() else schema.empty_table()


def load(path: Path) -> Run:
    """The run in a results folder; UsageError if there is none, or of another schema."""
    summary_path = path / folder.SUMMARY
    try:
        summary = decode(summary_path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path} is no results folder: it has no {folder.SUMMARY}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{summary_path} is no {SCHEMA}: {error}") from None
    config = path / folder.CONFIG
    return Run(path, summary, config.read_text(encoding="utf-8") if config.exists() else "")
