"""The list of commands, and the way out: every error one sentence, and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from fleetstorm.cli.pipes import outlive_readers
from fleetstorm.errors import FleetstormError, Interrupted, UsageError

_HELP = "Drive a simulated IoT fleet against a real backend, and prove what the backend kept."
_EPILOGUE = """Examples:

    fleetstorm run scenario=smoke
    fleetstorm run scenario=steady fleet.devices=5000 load.rate=20k/s duration=2m
    fleetstorm run scenario=ramp --multirun fleet.devices=1000,5000 transport=http_json,http_arrow
    fleetstorm run scenario=mine --config-dir my_scenarios --cfg job
    fleetstorm serve platform.port=8080
    fleetstorm list scenarios
    fleetstorm report results/2026-06-01/smoke/*
    fleetstorm db partitions postgresql://user:password@host/db

Exit codes: 0 pass · 1 a bar or the verification failed · 2 wrong usage or configuration · 3 void:
the generator was the limit · 5 infrastructure failed to start, or the disk takes no results · 130
interrupted. --debug shows where an error came from.
"""
_EXAMPLES_OF_RUN = """Examples:

    fleetstorm run scenario=smoke
    fleetstorm run scenario=steady fleet.devices=5000 load.rate=20k/s duration=2m out=DIR
    fleetstorm run scenario=ramp --multirun fleet.devices=1000,5000 transport=http_json,http_arrow
    fleetstorm run scenario=mine --config-dir my_scenarios --cfg job

Exit codes: 0 pass · 1 a bar or the verification failed · 2 wrong usage or configuration · 3 void ·
5 infrastructure failed to start, or the disk takes no results · 130 interrupted.
"""
_EXAMPLES_OF_SERVE = """Examples:

    fleetstorm serve
    fleetstorm serve platform.port=8080
    fleetstorm serve platform.database.url=postgresql://user:password@host/db
"""
_EXAMPLES_OF_VALIDATE = """Examples:

    fleetstorm validate scenario=smoke fleet.devices=5000
    fleetstorm validate scenario=mine --config-dir my_scenarios
"""
_EXAMPLES_OF_LIST = """Examples:

    fleetstorm list
    fleetstorm list scenarios --config-dir my_scenarios
    fleetstorm list metrics
"""
_EXAMPLES_OF_REPORT = """Examples:

    fleetstorm report results/2026-06-01/smoke/*
"""
_EXAMPLES_OF_DOCTOR = """Exit codes: 0 a run can start here · 5 something must be mended first.
"""

_EXAMPLES_OF_RESTORE = """Examples:

    fleetstorm db restore postgresql://user:password@host/db --archive /srv/archive \\
        --organization 01a210b4-e7e0-7e5b-850f-b88429552dc2 --from 2026-06-01 --to 2026-06-08

Whole files come back, so more than was asked for may. Called twice it does nothing the second time.
Exit codes: 0 all of it is in the table · 1 a file is damaged or missing, the others came back.
"""

app = App(
    name="fleetstorm",
    help=_HELP,
    help_epilogue=_EPILOGUE,
    help_format="plaintext",
    version_flags=["--version"],
    help_flags=["--help", "-h"],
    group_commands=Group("Commands", sort_key=0),
)

db = App(
    name="db",
    help="Look at a platform's database, or bring it up to date.",
    help_epilogue="""Examples:

    fleetstorm db migrate postgresql://user:password@host/db layout=daily
    fleetstorm db status postgresql://user:password@host/db
    fleetstorm db partitions postgresql://user:password@host/db
    fleetstorm db psql postgresql://user:password@host/db -- -c '\\dt iot.*'

URL is an administrator's. Where it names the database postgres, fleetstorm's own is meant.
""",
    help_format="plaintext",
    help_flags=["--help", "-h"],
)
app.command(db)

DatabaseUrl = Annotated[str, Parameter(help="postgresql://user:password@host/db")]
ConfigDir = Annotated[
    Path | None, Parameter(help="a folder of your own with scenario/*.yaml in it")
]


@app.command(help_epilogue=_EXAMPLES_OF_RUN)
def run(
    *overrides: Annotated[str, Parameter(help="key=value, such as scenario=smoke duration=2m")],
    multirun: Annotated[
        bool, Parameter(negative=(), help="values joined by commas make a run for each")
    ] = False,
    cfg: Annotated[
        Literal["job"] | None, Parameter(help="print the composed configuration and stop")
    ] = None,
    config_dir: ConfigDir = None,
) -> int:
    """Run a scenario to its verdict.

    Every key is overridden by its plain name, such as fleet.devices=5000 or transport=http_json.
    """
    from fleetstorm.cli.run import print_config, run_one, run_sweep

    if cfg is not None:
        return print_config(overrides, config_dir, multirun=multirun)
    return (run_sweep if multirun else run_one)(overrides, config_dir)


@app.command(help_epilogue=_EXAMPLES_OF_SERVE)
def serve(
    *overrides: Annotated[str, Parameter(help="key=value, such as platform.port=8080")],
    config_dir: ConfigDir = None,
) -> int:
    """Run the platform alone, with a database of its own or with yours, until Ctrl-C."""
    from fleetstorm.cli.serve import serve_platform

    return serve_platform(overrides, config_dir)


@app.command(help_epilogue=_EXAMPLES_OF_VALIDATE)
def validate(*overrides: str, config_dir: ConfigDir = None) -> int:
    """Compose and check a run without starting anything."""
    from fleetstorm.cli.workbench import validate_run

    return validate_run(overrides, config_dir)


@app.command(name="list", help_epilogue=_EXAMPLES_OF_LIST)
def list_(
    what: Annotated[
        str | None,
        Parameter(help="a sort of thing; left out, it prints which there are"),
    ] = None,
    config_dir: ConfigDir = None,
) -> int:
    """Print what exists: scenarios, actions, signals, faults, conditions, metrics, …"""
    from fleetstorm.cli.workbench import print_list

    return print_list(what, config_dir)


@app.command(help_epilogue=_EXAMPLES_OF_REPORT)
def report(*runs: Annotated[Path, Parameter(help="results folders")]) -> int:
    """Write the report of runs again, from their results folders alone."""
    from fleetstorm.cli.results import write_reports

    return write_reports(runs)


@app.command(help_epilogue=_EXAMPLES_OF_DOCTOR)
def doctor() -> int:
    """Check this machine: programs, folders, ports, PostgreSQL, Ray."""
    from fleetstorm.cli.workbench import examine

    return examine()


@db.command(name="migrate")
def db_migrate(url: DatabaseUrl, *overrides: str) -> int:
    """Make or update roles, schema and storage; overrides choose a new database's layout."""
    from fleetstorm.cli.db import migrate

    return migrate(url, overrides)


@db.command(name="status")
def db_status(url: DatabaseUrl) -> int:
    """Print version, migrations, layout and size."""
    from fleetstorm.cli.db import print_status

    return print_status(url)


@db.command(name="partitions")
def db_partitions(
    url: DatabaseUrl,
    *,
    sort: Literal["name", "rows", "size", "bloat", "age"] = "name",
    json: bool = False,
) -> int:
    """Print every partition: rows, bytes, bloat, age.

    Parameters
    ----------
    sort: by name, which is by time, or by the most of something.
    json: a list for programs instead of the table.
    """
    from fleetstorm.cli.db import print_partitions

    return print_partitions(url, sort=sort, as_json=json)


@db.command(name="restore", help_epilogue=_EXAMPLES_OF_RESTORE)
def db_restore(
    url: DatabaseUrl,
    *,
    archive: Annotated[Path, Parameter(help="platform.archive.folder of the platform")],
    organization: Annotated[str, Parameter(help="its id")],
    since: Annotated[str, Parameter(name="--from", help="2026-06-01, or 2026-06-01T12:00:00Z")],
    until: Annotated[str, Parameter(name="--to", help="the same; up to, without it")],
    keep: Annotated[str, Parameter(help="so long it is not archived again")] = "30d",
) -> int:
    """Bring archived readings of an organization back into the table."""
    from fleetstorm.cli.restore import restore

    return restore(url, archive, organization, (since, until), keep)


@db.command(name="psql")
def db_psql(
    url: DatabaseUrl,
    *words: Annotated[str, Parameter(allow_leading_hyphen=True, help="for psql, after --")],
) -> int:
    """Open psql on the database."""
    from fleetstorm.cli.db import open_psql

    return open_psql(url, words)


def main() -> None:
    """The program."""
    outlive_readers()
    sys.exit(run_command(sys.argv[1:]))


def run_command(words: Sequence[str]) -> int:
    """Run the command that the words make; gives the exit code."""
    words = list(words)
    debug = "--debug" in words
    try:
        result = app(
            [word for word in words if word != "--debug"],
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        return _fail(UsageError(_sentence(error)), debug)
    except FleetstormError as error:
        return _fail(error, debug)
    except KeyboardInterrupt:
        return _fail(Interrupted("Interrupted."), debug)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 2
    except Exception as error:
        hint = "" if debug else "; --debug shows where"
        unexpected = f"{type(error).__name__}: {error}{hint}"
        return _fail(FleetstormError(f"Something unforeseen went wrong: {unexpected}"), debug)
    return result if isinstance(result, int) else 0


def _fail(error: FleetstormError, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    for sentence in str(error).splitlines():
        print(f"fleetstorm: {sentence}", file=sys.stderr)  # noqa: T201 (the command line's own voice)
    return error.exit_code


def _sentence(error: CycloptsError) -> str:
    """What the parser says, on one line."""
    return f"{' '.join(str(error).split())} (fleetstorm --help shows all commands)"
