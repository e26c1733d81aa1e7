"""`db`: a platform's database, looked at and brought up to date."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any

import msgspec
from rich.table import Table

from fleetplatform.admin import (
    DatabaseState,
    PartitionInfo,
    own_database,
    prepare_database,
    read_state,
)
from fleetstorm.cli.printing import console, say
from fleetstorm.config.compose import composer
from fleetstorm.errors import InfrastructureError
from fleetstorm.run.backend import database_errors
from fleetstorm.stack.account import cache_folder, server_account
from fleetstorm.stack.binaries import unpack_binaries

_ORDERS: Mapping[str, Callable[[PartitionInfo], Any]] = {
    "name": lambda part: part.name,
    "rows": lambda part: -part.rows,
    "size": lambda part: -(part.table_bytes + part.index_bytes),
    "bloat": lambda part: -(part.bloat_share or 0.0),
    "age": lambda part: timedelta.max if part.age is None else -part.age,
}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def migrate(url: str, overrides: Sequence[str]) -> int:
    """Prepare the database, or bring it up to date; says what it then is."""
    with composer(None) as compose:
        settings = compose.compose(overrides).config.platform
    with database_errors():
        asyncio.run(prepare_database(url, settings))
    return print_status(url)


def print_status(url: str) -> int:
    """Version, migrations, layout and size; 1 where migrations are pending."""
    state = _read(url)
    table = _grid()
    for name, value in _status(state):
        table.add_row(name, value)
    console().print(table)
    if state.pending:
        say(f"Pending: {', '.join(state.pending)}. `fleetstorm db migrate URL` applies them.")
    return 1 if state.pending else 0


def print_partitions(url: str, *, sort: str, as_json: bool) -> int:
    """One line a partition, and their sum."""
    parts = sorted(_read(url).partitions, key=_ORDERS[sort])
    if as_json:
        say(msgspec.json.format(msgspec.json.encode([_plain(part) for part in parts])).decode())
        return 0
    table = Table(box=None, pad_edge=False)
    table.add_column("partition")
    for name in ("rows", "table", "indexes", "dead", "bloat", "ended"):
        table.add_column(name, justify="right")
    for part in parts:
        table.add_row(*_line(part))
    table.add_row(
        f"{len(parts)} in all", f"{sum(part.rows for part in parts):,}",
        _size(sum(part.table_bytes for part in parts)),
        _size(sum(part.index_bytes for part in parts)), "", "", "",
    )  # fmt: skip
    console().print(table)
    return 0


def open_psql(url: str, words: Sequence[str]) -> int:
    """Become psql; the one that is installed, or else the embedded server's."""
    program, environment = shutil.which("psql"), dict(os.environ)
    if program is None:
        binaries = unpack_binaries(cache_folder(server_account()))
        program = str(binaries.program("psql"))
        environment |= {"LD_LIBRARY_PATH": binaries.environment["LD_LIBRARY_PATH"]}
    try:
        os.execve(program, [program, own_database(url), *words], environment)  # noqa: S606
    except OSError as error:
        raise InfrastructureError(f"psql did not start: {error.strerror}") from error


def _read(url: str) -> DatabaseState:
    with database_errors():
        return asyncio.run(read_state(url))


def _status(state: DatabaseState) -> list[tuple[str, str]]:
    parts = state.partitions
    size = sum(part.table_bytes + part.index_bytes for part in parts)
    indexes = ", ".join(state.indexes) or "the unique key alone"
    return [
        ("PostgreSQL", f"{state.postgres}{'' if state.fsync else ', fsync OFF'}"),
        ("database", state.database),
        ("migrations", f"{state.applied} applied, {len(state.pending)} pending"),
        ("layout", f"{state.layout}, indexes: {indexes}"),
        ("partitions", f"{len(parts)}"),
        ("readings", f"about {sum(part.rows for part in parts):,} in {_size(size)}"),
    ]


def _line(part: PartitionInfo) -> tuple[str, ...]:
    return (
        part.name, f"{part.rows:,}", _size(part.table_bytes), _size(part.index_bytes),
        f"{part.dead_share:.0%}", "?" if part.bloat_share is None else f"{part.bloat_share:.0%}",
        _age(part.age),
    )  # fmt: skip


def _plain(part: PartitionInfo) -> dict[str, object]:
    """A partition for programs; the age in seconds."""
    age_s = None if part.age is None else part.age.total_seconds()
    plain = {field.name: getattr(part, field.name) for field in fields(part)}
    del plain["age"]
    return plain | {"age_s": age_s}


def _age(age: timedelta | None) -> str:
    """How long ago the span of a partition ended, in virtual time."""
    if age is None:
        return "–"
    return f"{age.days} d ago" if age > timedelta(0) else "open"


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} {_UNITS[-1]}"


def _grid() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    return table
