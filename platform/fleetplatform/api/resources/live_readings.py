"""Readings as they come in: a part at a time, as Server-Sent Events, or over a WebSocket."""

import asyncio
from contextlib import aclosing
from typing import Annotated, Any, cast
from uuid import UUID

import structlog
from litestar import Request, Response, WebSocket, get, websocket
from litestar.di import Provide
from litestar.exceptions import HTTPException, WebSocketDisconnect
from litestar.params import HeaderParameter, Parameter
from litestar.response import Stream

from fleetplatform.analytics.anomalies import code_of
from fleetplatform.analytics.arrivals import Follower, Limits, Place, Wanted, parse_place
from fleetplatform.analytics.choice import Choice
from fleetplatform.api.access import ACTING_IN, Context, token_of, viewer
from fleetplatform.api.live import (
    EVENT_STREAM,
    OPENED,
    UNREACHABLE,
    Patience,
    Renew,
    encode_part,
    events,
)
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import RequestError
from fleetplatform.wire.problems import CODES
from fleetplatform.wire.resources.readings import LiveReadings

RESUMED_S = 3600.0
"""Who comes back after longer (wall clock) begins anew."""
PROTOCOL = "fleetstorm"
"""A WebSocket whose client cannot send headers offers this and `bearer.<token>`."""
ActingIn = Annotated[UUID | None, HeaderParameter(name=ACTING_IN)]

_log = structlog.get_logger()
REFUSED = 4000
"""A WebSocket that is refused is closed with this and the status that a request would have."""


def provide_wanted(
    sensor_id: UUID | None = None,
    device_id: UUID | None = None,
    group_id: UUID | None = None,
    sensor_type: str | None = None,
    flagged: Annotated[bool, Parameter(description="only of a quality other than 0")] = False,
    anomalies: Annotated[bool, Parameter(description="only those marked as such")] = False,
) -> Wanted:
    """Which readings are followed."""
    choice = Choice(sensor_id, device_id, group_id, code_of(sensor_type))
    return Wanted(choice, flagged, anomalies)


def provide_follower(
    context: Context,
    wanted: Wanted,
    after: Annotated[
        str | None, Parameter(max_length=100, description="id of a reading to go on after")
    ] = None,
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", max_length=100)
    ] = None,
) -> Follower:
    """From where and how; without a place from now on."""
    settings = context.streams.settings
    speed = max(1.0, context.clock.law.speed)
    limits = Limits(
        readings=settings.readings,
        late_us=round(settings.late * 1e6),
        resumed_us=round(RESUMED_S * 1e6 * speed),
        settled_us=round(context.streams.settled_s * 1e6 * speed),
        behind_s=settings.behind,
    )
    told = last_event_id or after
    place = parse_place(told) if told else Place(context.clock.now_us())
    return Follower(context.pool, wanted, limits, place)


_DEPENDENCIES = {
    "wanted": Provide(provide_wanted, sync_to_thread=False),
    "follower": Provide(provide_follower, sync_to_thread=False),
}


@get(
    "/v1/readings/live",
    opt={"also_answers": (EVENT_STREAM,)},
    middleware=[Patience],
    dependencies=_DEPENDENCIES,
)
async def follow_readings(
    request: Request,  # type: ignore[type-arg]
    tenant: Tenant,
    context: Context,
    follower: Follower,
) -> Response[LiveReadings]:
    """Readings in the order in which they came in, after the one that `after` names.

    With `Accept: text/event-stream` they go on as Server-Sent Events; otherwise one part is told.
    """
    await follower.check(tenant)
    if EVENT_STREAM not in request.headers.get("accept", ""):
        return Response(await follower.next(tenant, context.clock.now_us()))
    streams = context.streams
    said = request.headers.get(ACTING_IN)
    renew = _renewal(context, token_of(request), UUID(said) if said else None)
    streams.ensure_place()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    found = events(streams.parts(follower, renew))
    cast("dict[str, Any]", request.scope)[OPENED].append(found)
    stream = Stream(found, media_type=EVENT_STREAM, headers=headers)
    return cast("Response[LiveReadings]", stream)


@websocket("/v1/readings/live", middleware=[Patience], dependencies=_DEPENDENCIES)
async def follow_readings_by_websocket(
    socket: WebSocket,  # type: ignore[type-arg]
    context: Context,
    follower: Follower,
    acting_in: ActingIn = None,
) -> None:
    """The same as messages, a LiveReadings each."""
    offered = _offered(socket)
    token = next((one[7:] for one in offered if one.startswith("bearer.")), None)
    await socket.accept(subprotocols=PROTOCOL if PROTOCOL in offered else None)
    try:
        renew = _renewal(context, token or token_of(socket), acting_in)
        await follower.check(await renew())
        context.streams.ensure_place()
        await _send(socket, context, follower, renew)
    except RequestError as error:
        await socket.close(REFUSED + CODES[error.code].status, error.code)
    except HTTPException as error:
        await socket.close(REFUSED + error.status_code, error.detail[:100])
    except UNREACHABLE as error:
        _log.warning("a stream ends without its database", error=repr(error))
        await socket.close(REFUSED + 503, "the database does not answer")
    else:
        await socket.close(1001, "the platform is shutting down")


async def _send(
    socket: WebSocket,  # type: ignore[type-arg]
    context: Context,
    follower: Follower,
    renew: Renew,
) -> None:
    """Send parts until the reader has gone; what it says is not listened to."""
    leaving = asyncio.create_task(_leave(socket))
    sending = asyncio.create_task(_send_parts(socket, context, follower, renew))
    try:
        await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        leaving.cancel()
        sending.cancel()
        await asyncio.gather(leaving, sending, return_exceptions=True)


async def _send_parts(
    socket: WebSocket,  # type: ignore[type-arg]
    context: Context,
    follower: Follower,
    renew: Renew,
) -> None:
    async with aclosing(context.streams.parts(follower, renew)) as parts:
        async for part in parts:
            await socket.send_text(encode_part(part))


async def _leave(socket: WebSocket) -> None:  # type: ignore[type-arg]
    try:
        while True:
            await socket.receive_data("text")
    except WebSocketDisconnect:
        return


def _offered(socket: WebSocket) -> list[str]:  # type: ignore[type-arg]
    """The protocols that a client offers."""
    said = socket.headers.get("sec-websocket-protocol", "")
    return [one.strip() for one in said.split(",") if one.strip()]


def _renewal(context: Context, token: str, acting_in: UUID | None) -> Renew:
    async def renew() -> Tenant:
        return await viewer(context, token, acting_in)

    return renew


handlers = [follow_readings, follow_readings_by_websocket]
