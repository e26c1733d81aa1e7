"""Whether the server could write bind parameters, keys among them, into its log."""

from typing import Any

import structlog

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load

_log = structlog.get_logger()
_queries: Any = load(__file__)


async def warn_of_logged_parameters(pool: Pool, role: str) -> None:
    """Say in the log, once, which settings let the server log parameters of this role."""
    async with pool.acquire() as conn:
        unsafe = [row["name"] async for row in _queries.parameter_logging(conn)]
    if unsafe:
        settings = ", ".join(f"{name} = 0" for name in unsafe)
        _log.warning(
            "the server may log bind parameters, and encryption keys are such: as a superuser run"
            f" ALTER ROLE {role} SET for each of these settings",
            settings=settings,
        )
