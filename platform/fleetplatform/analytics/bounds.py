"""How long a question may take, and how long a time it may be about."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import InvalidError

DAY_US = 86_400_000_000
RAW_DAYS_MAX = 400
"""Of single readings in one answer; as long as a reading may be late in the shipped settings."""


@asynccontextmanager
async def asked(pool: Pool, tenant: Tenant) -> AsyncIterator[Connection]:
    """A transaction as the tenant for one question.

    Raises InvalidError (too_slow) where it takes longer than platform.database.statement_timeout.
    """
    try:
        async with transaction(pool, tenant) as conn:
            yield conn
    except asyncpg.QueryCanceledError:
        raise InvalidError(
            "the answer takes longer than the platform lets a question take: ask for a shorter"
            " span, for fewer sensors, or for hours and days instead of readings",
            code="too_slow",
        ) from None


def check_raw(since_us: int, until_us: int) -> None:
    """Raises InvalidError (invalid_span) for more time than single readings are given of."""
    days = (until_us - since_us) / DAY_US
    if days > RAW_DAYS_MAX:
        raise InvalidError(
            f"since_us, until_us: the readings of {days:,.0f} days are asked for, and those of"
            f" {RAW_DAYS_MAX} are given at most: ask for a shorter span, for hours or days"
            " (/v1/sensors/{sensor_id}/days), or take all of them away with /v1/export",
            code="invalid_span",
        )
