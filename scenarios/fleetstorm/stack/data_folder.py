"""The data of an embedded PostgreSQL: made once, found again by a later start.

The superuser's password is generated with the data and kept beside them, readable by the driver's
user only; there is no default password.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fleetstorm.errors import InfrastructureError
from fleetstorm.stack.account import Account
from fleetstorm.stack.binaries import Binaries
from fleetstorm.stack.process import Process, run_to_end

SUPERUSER = "fleetstorm"
MAJOR_VERSION = "18"
_INITDB_TIMEOUT_S = 60.0
_PID_FILE_STATUS_LINE = 7


def read_password(folder: Path) -> str:
    """The superuser's password of the data in `folder`: read, or generated and kept beside them."""
    path = folder / "superuser.password"
    try:
        if path.exists():
            return path.read_text().strip()
        password = secrets.token_urlsafe(24)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password)
    except OSError as error:
        raise InfrastructureError(
            f"the folder for PostgreSQL's data cannot be used: {error}; choose another folder"
        ) from error
    return password


@dataclass(frozen=True)
class DataFolder:
    """A cluster's data below `place`, who serves it, and with which programs."""

    place: Path
    password: str
    binaries: Binaries
    account: Account | None

    @property
    def path(self) -> Path:
        """PostgreSQL's data directory."""
        return self.place / "data"

    async def initialise(self) -> None:
        """Make the data folder with initdb unless it is there; raises InfrastructureError."""
        if self.path.exists():
            self._check_version()
            return
        try:
            aside = self._owned_folder()
            try:
                await self._initdb(aside)
                os.rename(aside, self.path)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        except OSError as error:
            raise InfrastructureError(
                f"PostgreSQL's data folder {self.path} could not be made: {error};"
                " choose another folder"
            ) from error

    def _check_version(self) -> None:
        try:
            found = (self.path / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise InfrastructureError(
                f"{self.path} does not hold PostgreSQL's data: {error}; choose another folder"
            ) from error
        if found != MAJOR_VERSION:
            raise InfrastructureError(
                f"{self.path} belongs to PostgreSQL {found}, not {MAJOR_VERSION}:"
                " choose another folder"
            )

    def _owned_folder(self) -> Path:
        """A new folder below `place` that belongs to the server's user."""
        folder = Path(tempfile.mkdtemp(prefix=".initdb-", dir=self.place))
        if self.account:
            os.chown(folder, self.account.uid, self.account.gid)
        return folder

    async def _initdb(self, folder: Path) -> None:
        """A cluster with SCRAM, checksums and a collation that does not depend on the machine."""
        password_file = self._password_file()
        argv = (
            str(self.binaries.program("initdb")),
            f"--pgdata={folder}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        )
        try:
            exit_code, output = await run_to_end(
                Process(
                    name="initdb",
                    argv=argv,
                    log_path=Path(os.devnull),
                    cwd=self.place,
                    env=self.binaries.environment,
                    account=self.account,
                    ready_timeout_s=_INITDB_TIMEOUT_S,
                )
            )
        finally:
            password_file.unlink(missing_ok=True)
        if exit_code != 0:
            said = " | ".join(output.strip().splitlines()[-4:])
            raise InfrastructureError(
                f"PostgreSQL's data folder {self.path} could not be made: initdb said: {said}"
            )

    def _password_file(self) -> Path:
        """The password in a file that only the server's user may read, for initdb."""
        descriptor, path = tempfile.mkstemp(prefix=".password-", dir=self.place)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.password)
            if self.account:
                os.fchown(file.fileno(), self.account.uid, self.account.gid)
        return Path(path)

    @property
    def server_command(self) -> tuple[str, ...]:
        """The command line that serves these data, as yet without settings."""
        return (str(self.binaries.program("postgres")), "-D", str(self.path))

    def says_ready(self, pid: int | None) -> bool:
        """Whether line 8 of postmaster.pid, whose line 1 names `pid` (None: any), reads ready."""
        try:
            lines = (self.path / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            len(lines) > _PID_FILE_STATUS_LINE
            and pid in (None, int(lines[0]))
            and lines[_PID_FILE_STATUS_LINE].strip() == "ready"
        )
