"""`serve`: the platform alone, until Ctrl-C."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from string import Template

from fleetplatform.client import ApiError, Client
from fleetplatform.settings import PlatformSettings
from fleetstorm.cli.printing import say
from fleetstorm.config.compose import composer
from fleetstorm.config.settings import RunConfig
from fleetstorm.errors import Interrupted, UsageError
from fleetstorm.run.backend import Backend, start_backend
from fleetstorm.run.signals import run_interruptible
from fleetstorm.stack.stack import Stack

_LIFETIME = "Its database ends with this command; platform.database.url keeps one.\n"


def serve_platform(overrides: Sequence[str], config_dir: Path | None) -> int:
    """Start the platform, say how to use it, and wait for Ctrl-C, which is a good end."""
    with composer(config_dir) as compose:
        config = compose.compose(overrides).config
    settings = config.platform
    if settings.url is not None:
        raise UsageError("platform.url names a platform that runs already: there is none to serve")
    try:
        run_interruptible(_serve(config), lambda: say("Stopping."))
    except Interrupted:
        return 0
    return 0


async def _serve(config: RunConfig) -> None:
    settings = config.platform
    with tempfile.TemporaryDirectory(prefix="fleetstorm-logs-") as logs:
        async with Stack(Path(logs), keep=settings.keep) as stack:
            say("Starting …")
            backend = await start_backend(stack, settings)
            await _put_catalogue(backend, config)
            say(_how_to(backend, settings))
            await asyncio.Event().wait()


async def _put_catalogue(backend: Backend, config: RunConfig) -> None:
    """The shipped device types; a database that has a version with other contents keeps its own."""
    async with Client(backend.url, backend.operator_token) as operator:
        for device_type in config.device_type.values():
            try:
                await operator.put_device_type(device_type.specification)
            except ApiError as error:
                if error.code != "conflict":
                    raise


def _how_to(backend: Backend, settings: PlatformSettings) -> str:
    """What someone needs to post a first reading."""
    kept = settings.database.url is not None or settings.keep
    template = Template(Path(__file__).with_name("first_reading.txt").read_text("utf-8"))
    return template.substitute(
        url=backend.url,
        token=backend.operator_token,
        lifetime="" if kept else _LIFETIME,
        database=f" platform.database.url={backend.owner_url}" if backend.owner_url else "",
        encryption=_encryption(backend),
    )


def _encryption(backend: Backend) -> str:
    """What a run needs to verify readings of sensitive sensors."""
    if backend.keys is None or backend.keys_file is None:
        return ""
    place = Path(backend.keys_file).resolve()
    return f" platform.encryption.keys={place} platform.encryption.active={backend.keys.active}"
