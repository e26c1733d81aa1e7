"""Named queries: SQL stands in the room that calls it."""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import aiosql

_NAME = re.compile(r"^-- name: (\w+)", re.MULTILINE)


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
    files = sorted(path.glob("*.sql")) if path.is_dir() else [path]
    names = Counter(name for file in files for name in _NAME.findall(file.read_text("utf-8")))
    doubled = [name for name, count in names.items() if count > 1]
    if doubled:
        # One would silently stand for both.
        raise ValueError(f"{path} names a query twice: {', '.join(doubled)}")
    return aiosql.from_path(path, "asyncpg")
