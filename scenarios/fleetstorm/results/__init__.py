"""A run as files: the contract that reports, studies and other programs read.

Owns the results folder: what stands in it, in which form, and how it is written and read again.
Entries: `load` reads a folder that a run has left, `folder.Folder` is the one being written. It
is the last station of a reading: `run` puts in what `metrics`, `verification` and `verdict` found.
Below it is only `errors`; everything of the driver may call it.

`summary.py` is summary.json as types (`summary.schema.json` the same for other languages),
`registry.py` every metric that the summary knows by name, `events.py` the journal of the run,
`tables.py` the columns of the Parquet files.
"""

from fleetstorm.results.saved import Run, load

__all__ = ["Run", "load"]
