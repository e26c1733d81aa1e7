"""Named queries: SQL stands in the room that calls it."""

from functools import cache
from pathlib import Path
from typing import Any

import aiosql


def load(file: str) -> Any:
    """The queries of a module's room (`__file__`), as coroutine functions.

    They stand in `queries.sql` beside the module or, where a room owns many nouns, in one file a
    noun in the folder `queries` beside it.

    `name!` executes, `name$` gives one value, `name^` one row or None, a bare `name` an
    asynchronous iterator of rows. All take a connection and the query's parameters by keyword.
    """
    folder = Path(file).with_name("queries")
    return _read(folder if folder.is_dir() else folder.with_suffix(".sql"))


@cache
def _read(path: Path) -> Any:
    return aiosql.from_path(path, "asyncpg")
