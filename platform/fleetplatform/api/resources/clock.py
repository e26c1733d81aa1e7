"""The clock of the platform."""

import math

from litestar import get, put

from fleetplatform.api.access import Context, operator_only, operator_or_member
from fleetplatform.api.parameters import LATEST_US
from fleetplatform.database import clock
from fleetplatform.errors import ConflictError, DatabaseError, InvalidError
from fleetplatform.wire.clock import ClockLaw
from fleetplatform.wire.resources.clock import Clock


@get("/v1/clock", guards=[operator_or_member])
async def read_clock(context: Context) -> Clock:
    """The law of virtual time, and whether it may be changed."""
    async with context.pool.acquire() as conn:
        law, controllable = await clock.read(conn)
    return Clock(law=law, controllable=controllable)


@put("/v1/clock", guards=[operator_only])
async def set_clock(data: Clock, context: Context) -> Clock:
    """Change the law; answers when the readings taken before are committed."""
    _check(data.law)
    try:
        async with context.pool.acquire() as conn:
            await clock.write(conn, data.law)
    except DatabaseError as error:
        raise ConflictError(str(error)) from None
    await context.clock.refresh()
    await context.settle()
    return Clock(law=data.law)


def _check(law: ClockLaw) -> None:
    if not (math.isfinite(law.speed) and law.speed >= 0):
        raise InvalidError(f"law.speed: {law.speed:g} is not a factor of 0 or more")
    for name in ("virtual_anchor_us", "wall_anchor_us"):
        if not 0 <= getattr(law, name) <= LATEST_US:
            raise InvalidError(f"law.{name}: write µs since 1970, at most those of the year 9000")


handlers = [read_clock, set_clock]
