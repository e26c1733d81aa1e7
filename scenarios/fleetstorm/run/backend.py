"""The platform of a run: one of its own, with a database, or one that runs already."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from fleetplatform.admin import (
    DatabaseError,
    PreparedDatabase,
    SettingsError,
    prepare_database,
)
from fleetplatform.settings import PlatformSettings, ProcessSettings, encode_process_settings
from fleetstorm.errors import InfrastructureError, UsageError
from fleetstorm.stack.ports import check_port_free, pick_free_port
from fleetstorm.stack.services import Service
from fleetstorm.stack.stack import Stack

ROLES = "ingest+api+worker"


@dataclass(frozen=True)
class Backend:
    """A platform that answers at `url`.

    `owner_url` reads every row of the database (None: no database was named for a platform that
    runs elsewhere). `database` and `service` are None unless this run started them.
    """

    url: str
    operator_token: str
    owner_url: str | None
    database: PreparedDatabase | None = None
    service: Service | None = None


async def start_backend(stack: Stack, settings: PlatformSettings) -> Backend:
    """The platform, started or found; raises UsageError, InfrastructureError."""
    if settings.url is not None:
        return _named(settings.url, settings)
    if settings.port:
        check_port_free(settings.host, settings.port)
    url = settings.database.url or (await stack.start_postgres()).url()
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
    )
    service = await stack.start_service(
        ROLES, encode_process_settings(process), host=settings.host, port=port
    )
    return Backend(service.url, token, database.owner_url, database, service)


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
    if settings.token is None:
        raise UsageError(
            "platform.url names a platform that runs already, so platform.token is needed: the"
            " operator token that `fleetstorm serve` printed"
        )
    return Backend(url, settings.token, settings.database.url)
