"""Named queries: SQL stands in the `queries.sql` of the room that calls it."""

from pathlib import Path
from typing import Any

import aiosql


def load(file: str) -> Any:
    """The queries of `queries.sql` beside a module (`__file__`), as coroutine functions.

    `name!` executes, `name$` gives one value, `name^` one row or None, a bare `name` an
    asynchronous iterator of rows. All take a connection and the query's parameters by keyword.
    """
    return aiosql.from_path(Path(file).with_name("queries.sql"), "asyncpg")
