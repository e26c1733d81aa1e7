"""The platform of a run: one of its own, with a database, or one that runs already."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fleetplatform.admin import (
    DatabaseError,
    PreparedDatabase,
    SettingsError,
    create_database,
    drop_database,
    encode_keys,
    generate_keys,
    prepare_database,
    read_keys,
)
from fleetplatform.client import ApiError, Client
from fleetplatform.settings import (
    EncryptionKeys,
    PlatformSettings,
    ProcessSettings,
    encode_process_settings,
)
from fleetplatform.wire.resources.clock import Clock
from fleetstorm.config.settings import RunConfig
from fleetstorm.errors import InfrastructureError, UsageError
from fleetstorm.stack.ports import check_port_free, pick_free_port
from fleetstorm.stack.services import Service
from fleetstorm.stack.stack import Stack

ROLES = "ingest+api+worker"
KEYS_FILE = "encryption-keys"
ARCHIVE = "archive"


@dataclass(frozen=True)
class Backend:
    """A platform that answers at `url`.

    `owner_url` reads every row of the database (None: no database was named for a platform that
    runs elsewhere). `database` and `service` are None unless this run started them. `keys` open
    readings of sensitive sensors, `keys_file` is where they stand; `archive_folder` is where
    readings are archived.
    """

    url: str
    operator_token: str
    owner_url: str | None
    database: PreparedDatabase | None = None
    service: Service | None = None
    keys: EncryptionKeys | None = None
    keys_file: str | None = None
    archive_folder: Path | None = None


async def start_backend(stack: Stack, settings: PlatformSettings) -> Backend:
    """The platform, started or found; raises UsageError, InfrastructureError."""
    if settings.url is not None:
        return _named(settings.url, settings)
    if settings.tls is not None:
        raise UsageError("platform.tls: the platform of a run speaks plain HTTP; leave it null")
    if settings.port:
        check_port_free(settings.host, settings.port)
    keys, keys_file = _keys(stack, settings)
    settings = _with_archive(stack, settings)
    url = settings.database.url or (await stack.start_postgres()).url()
    if stack.below is not None:
        url = await _database_of_its_own(stack, url)
    with database_errors():
        database = await prepare_database(url, settings)
    token = settings.token or secrets.token_urlsafe(32)
    port = settings.port or pick_free_port(settings.host)
    process = ProcessSettings(
        platform=settings,
        host=settings.host,
        port=port,
        database_urls=database.urls,
        operator_token_sha256=hashlib.sha256(token.encode()).hexdigest(),
        encryption=keys,
    )
    service = await stack.start_service(
        ROLES, encode_process_settings(process), host=settings.host, port=port
    )
    return Backend(
        service.url, token, database.owner_url, database, service, keys, keys_file,
        _archive_folder(settings),
    )  # fmt: skip


async def _database_of_its_own(stack: Stack, url: str) -> str:
    """A database that is dropped when the run's services have ended; gives its URL."""
    name = f"fleetstorm_{secrets.token_hex(6)}"

    async def drop() -> None:
        await drop_database(url, name)

    with database_errors():
        fresh = await create_database(url, name)
    stack.afterwards(drop)
    return fresh


def check_keys(config: RunConfig) -> None:
    """A run that could not store what its fleet sends is refused before it starts: UsageError."""
    platform = config.platform
    named = platform.url is None and platform.database.url is not None
    if not named or platform.encryption.keys is not None or not config.transport.enrols:
        return
    for name, device_type in config.device_type.items():
        secret = [s for s, one in device_type.specification.sensors.items() if one.sensitive]
        if secret and config.fleet.mix.get(name):
            raise UsageError(
                f"the sensor {secret[0]} of {name} is sensitive, so its readings are encrypted:"
                " give a file of keys in platform.encryption.keys for the database that"
                " platform.database.url names"
            )


def check_reachable(config: RunConfig) -> None:
    """What a run needs to know of a platform that runs already; raises UsageError."""
    platform = config.platform
    if platform.url is None or not config.transport.enrols:
        return
    if platform.token is None:
        raise UsageError(
            "platform.url names a platform that runs already, so platform.token is needed: the"
            " operator token that `fleetstorm serve` printed"
        )
    if config.verify and platform.database.url is None:
        raise UsageError(
            "platform.url names a platform that runs already: give platform.database.url of its"
            " database too, or verify=false for a run that proves nothing"
        )


async def ask_clock(backend: Backend) -> Clock:
    """The platform's clock, which is the first thing asked of it; raises UsageError, ApiError."""
    try:
        async with Client(backend.url, backend.operator_token) as operator:
            return await operator.clock()
    except ApiError as error:
        if backend.service is None and error.status in (401, 403):
            raise UsageError(
                f"platform.token: the platform at {backend.url} does not know this operator token"
            ) from error
        if backend.service is None and error.code in ("unknown", "bad_answer", "bad_url"):
            raise UsageError(f"platform.url: {error}") from error
        raise


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """The platform's own sentence about its database, as an error of the driver."""
    try:
        yield
    except SettingsError as error:
        raise UsageError(str(error)) from error
    except DatabaseError as error:
        raise InfrastructureError(str(error)) from error


def _named(url: str, settings: PlatformSettings) -> Backend:
    with database_errors():
        keys = read_keys(settings.encryption)
    folder = _archive_folder(settings)
    return Backend(
        url, settings.token or "", settings.database.url, keys=keys, archive_folder=folder
    )


def _archive_folder(settings: PlatformSettings) -> Path | None:
    folder = settings.archive.folder
    return None if folder is None else Path(folder)


def _with_archive(stack: Stack, settings: PlatformSettings) -> PlatformSettings:
    """An embedded database has an archive of its own beside it, unless another is named."""
    if settings.archive.folder is not None or settings.database.url is not None:
        return settings
    archive = msgspec.structs.replace(settings.archive, folder=str(stack.folder / ARCHIVE))
    return msgspec.structs.replace(settings, archive=archive)


def _keys(stack: Stack, settings: PlatformSettings) -> tuple[EncryptionKeys | None, str | None]:
    """The configured keys and their file; an embedded database has a key of its own, beside it.

    A database that outlives the run gets none: nobody could read what is encrypted there later.
    """
    with database_errors():
        keys = read_keys(settings.encryption)
    if keys is not None or settings.database.url is not None:
        return keys, settings.encryption.keys
    keys, path = generate_keys(), stack.folder / KEYS_FILE
    path.touch(mode=0o600)
    path.write_text(encode_keys(keys), "ascii")
    return keys, str(path)
