"""`db restore`: archived readings back into the table."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from fleetconf.errors import UnitError
from fleetconf.units import parse
from fleetplatform.admin import ArchiveError, restore_readings
from fleetstorm.cli.printing import say
from fleetstorm.errors import UsageError
from fleetstorm.run.backend import database_errors


def restore(
    url: str, archive: Path, organization: str, between: tuple[str, str], keep: str
) -> int:
    """Bring an interval back and say what came; 1 where a file did not. Raises UsageError."""
    span = (_instant("--from", between[0]), _instant("--to", between[1]))
    if span[0] >= span[1]:
        raise UsageError("--from, --to: give a time and a later one")
    if not archive.is_dir():
        raise UsageError(f"--archive: there is no folder {archive}")
    with database_errors():
        try:
            found = asyncio.run(
                restore_readings(url, archive, _organization(organization), span, _kept(keep))
            )
        except ArchiveError as error:
            raise UsageError(str(error)) from error
    for problem in found.problems:
        say(f"Not restored: {problem}.")
    if found.first is None or found.last is None:
        say("Nothing was restored." if found.problems else "Nothing of that is in the archive.")
    else:
        say(
            f"Restored {found.readings:,} readings of {found.files:,} files, measured from"
            f" {found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M} (UTC); they are kept"
            f" from being archived again for {keep}."
        )
    return 1 if found.problems else 0


def _organization(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UsageError(f"--organization: {text!r} is no id of an organization") from None


def _instant(name: str, text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name}: {text!r} is no time; write 2026-06-01T12:00:00Z") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


def _kept(text: str) -> timedelta:
    try:
        return timedelta(seconds=float(parse(text, "duration") or 0))
    except (UnitError, OverflowError):
        raise UsageError(f"--keep: {text!r} is no duration; write 30d") from None
