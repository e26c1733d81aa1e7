"""`python -m fleetplatform ROLE SETTINGS`: one process of the platform.

`python -m fleetplatform openapi` prints the description of its API instead: docs/openapi.json.

ROLE is ingest, api or worker, or several joined by "+"; SETTINGS is a JSON file of
`settings.ProcessSettings`. Exit codes: 0 ended on request, 2 wrong usage, 5 could not begin.
"""

import asyncio
import json
import sys
from pathlib import Path

import msgspec
import uvloop

from fleetplatform.api.document import describe
from fleetplatform.errors import PlatformError, SettingsError
from fleetplatform.observe import configure_log
from fleetplatform.roles.process import parse_roles, run
from fleetplatform.settings import ProcessSettings, load_process_settings

EXIT_USAGE = 2
EXIT_INFRASTRUCTURE = 5


def main(arguments: list[str]) -> int:
    """Run one process; returns its exit code."""
    if arguments == ["openapi"]:
        return _print_document()
    try:
        roles, settings = _read(arguments)
    except SettingsError as error:
        return _say(error, EXIT_USAGE)
    configure_log()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(roles, settings))
    except PlatformError as error:
        return _say(error, EXIT_INFRASTRUCTURE)
    return 0


def _print_document() -> int:
    sys.stdout.write(json.dumps(describe(), indent=1, ensure_ascii=False) + "\n")
    return 0


def _read(arguments: list[str]) -> tuple[list[str], ProcessSettings]:
    if len(arguments) != 2:
        raise SettingsError("usage: python -m fleetplatform ROLE[+ROLE…] SETTINGS.json")
    roles = parse_roles(arguments[0])
    path = Path(arguments[1])
    try:
        return roles, load_process_settings(path)
    except OSError as error:
        raise SettingsError(f"the settings {path} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise SettingsError(f"the settings {path} are not as they must be: {error}") from error


def _say(error: Exception, code: int) -> int:
    sys.stderr.write(f"fleetplatform: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
