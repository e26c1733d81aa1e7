"""Who PostgreSQL runs as, and where that user may go.

PostgreSQL refuses to run as root. Started by root, it runs as an unprivileged user that exists in
the password database, and its programs and data must lie where that user may enter: root's home,
for one, is closed to it.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fleetstorm.errors import InfrastructureError

_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """An operating-system user: its name, user id and group id."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The user that root hands PostgreSQL to; None when the driver is not root and stays itself."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise InfrastructureError(
        "PostgreSQL refuses to run as root, and this machine has neither a user postgres nor"
        " nobody: add one of them, or run as an ordinary user"
    )


def may_enter(folder: Path, account: Account | None) -> bool:
    """Whether `account` may pass through every folder from the root down to `folder`."""
    if account is None:
        return os.access(folder, os.X_OK)
    path = folder.resolve()
    return all(_open_to(level.stat(), account) for level in (path, *path.parents))


def _open_to(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def cache_folder(account: Account | None) -> Path:
    """The folder for unpacked programs: the user's cache, or a temporary one if that is closed.

    Nobody but its owner may write there, for what lies in it is executed.
    """
    candidates = [_user_cache(), Path("/var/cache"), Path(tempfile.gettempdir())]
    names = ["fleetstorm", "fleetstorm", f"fleetstorm-cache-{os.geteuid()}"]
    return _first_usable(
        [base / name for base, name in zip(candidates, names, strict=True) if base], account
    )


def data_place(folder: Path, account: Account | None) -> Path:
    """Where a server's data lie: `folder`, or, if `account` may not enter it, a place of its own.

    The same `folder` always gives the same place, so a later start finds the data again.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if may_enter(folder, account):
            return folder
    except OSError as error:
        raise InfrastructureError(
            f"the folder for PostgreSQL's data cannot be used: {error}; choose another folder"
        ) from error
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    base = _first_usable([Path("/var/tmp") / f"fleetstorm-{os.geteuid()}"], account)  # noqa: S108
    place = base / name
    place.mkdir(mode=0o711, exist_ok=True)
    place.chmod(0o711)
    return place


def _user_cache() -> Path | None:
    """The base of the user's caches (XDG Base Directory Specification); None without HOME."""
    if configured := os.environ.get("XDG_CACHE_HOME"):
        return Path(configured)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return None


def _first_usable(candidates: list[Path], account: Account | None) -> Path:
    """The first folder that can be made, is ours alone to write, and that `account` may enter."""
    for folder in candidates:
        try:
            if not may_enter(_nearest_existing(folder), account):
                continue
            folder.mkdir(parents=True, exist_ok=True)
            status = folder.stat()
            if status.st_uid != os.geteuid() or not os.access(folder, os.W_OK):
                continue
            folder.chmod(0o755)
            if may_enter(folder, account):
                return folder
        except OSError:
            continue
    tried = ", ".join(str(folder) for folder in candidates)
    raise InfrastructureError(
        f"no folder for PostgreSQL can be written (tried {tried}): set XDG_CACHE_HOME to one that"
        " every user may enter"
    )


def _nearest_existing(folder: Path) -> Path:
    return next(level for level in (folder, *folder.parents) if level.exists())
