"""The management API: every resource of the folder, and a problem document for every refusal."""

import asyncpg
import structlog
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException

from fleetplatform.api.access import Context, provide_principal, provide_tenant
from fleetplatform.api.document import find_handlers
from fleetplatform.api.etag import provide_expected, tag
from fleetplatform.api.idempotency import Idempotency
from fleetplatform.api.live import UNREACHABLE
from fleetplatform.errors import RequestError
from fleetplatform.wire.problems import CODES, MEDIA_TYPE, Problem

_log = structlog.get_logger()
_CODES = {
    400: ("invalid", 422), 401: ("unauthorized", 401), 403: ("forbidden", 403),
    404: ("not_found", 404), 405: ("method_not_allowed", 405), 413: ("body_too_large", 413),
    415: ("unsupported_media", 415),
    500: ("internal", 500),
}  # fmt: skip
_RETRY_AFTER_S = "1"


def make_app(context: Context, body_size_max: int) -> Litestar:
    """The application; `context` is what its routes work with."""
    return Litestar(
        route_handlers=find_handlers(),
        dependencies={
            "context": Provide(lambda: context, sync_to_thread=False),
            "principal": Provide(provide_principal),
            "tenant": Provide(provide_tenant),
            "expected": Provide(provide_expected),
        },
        exception_handlers={
            RequestError: _refuse,
            HTTPException: _refuse_http,
            UnicodeDecodeError: _refuse_unreadable,
            RecursionError: _refuse_unreadable,
            Exception: _fail,
        },
        middleware=[Idempotency],
        after_request=tag,
        state=State({"context": context}),
        request_max_body_size=body_size_max,
        openapi_config=None,
        logging_config=None,
    )


def _reply(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(
        problem.encode(), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers
    )


def _refuse(_: Request, error: RequestError) -> Response[bytes]:  # type: ignore[type-arg]
    """What the rooms below refuse."""
    status = CODES[error.code].status
    problem = Problem(error.code, "The request cannot be done", status, detail=str(error))
    later = status in (429, 503) or error.code == "idempotency_in_progress"
    return _reply(problem, {"Retry-After": _RETRY_AFTER_S} if later else None)


def _refuse_http(_: Request, error: HTTPException) -> Response[bytes]:  # type: ignore[type-arg]
    """What the framework refuses: routes, tokens, bodies of another shape."""
    code, status = _CODES.get(error.status_code, ("refused", error.status_code))
    found = [f"{one.get('key', 'body')}: {one['message']}" for one in _places(error.extra)]
    problem = Problem(code, "The request is refused", status, "; ".join([error.detail, *found]))
    challenge = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return _reply(problem, challenge)


def _refuse_unreadable(_: Request, error: Exception) -> Response[bytes]:  # type: ignore[type-arg]
    """A body that the framework fails to decode; the error would carry all of it into the log."""
    what = "too deep" if isinstance(error, RecursionError) else "not UTF-8"
    detail = f"the body is {what}"
    return _reply(Problem("unreadable_body", "The request is refused", 422, detail))


def _places(extra: object) -> list[dict[str, str]]:
    """Where in a body something is wrong, as Litestar lists it."""
    if not isinstance(extra, list):
        return []
    return [one for one in extra if isinstance(one, dict) and "message" in one]


def _fail(request: Request, error: Exception) -> Response[bytes]:  # type: ignore[type-arg]
    """What should not happen, and a database that is not there or gave somebody else way."""
    if isinstance(error, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError):
        detail = "a text or number in the body cannot be stored"
        return _reply(Problem("invalid", "The request cannot be done", 422, detail))
    if isinstance(error, UNREACHABLE):
        detail = "the database does not answer; send again later"
        problem = Problem("unavailable", "The platform cannot answer now", 503, detail)
        return _reply(problem, {"Retry-After": _RETRY_AFTER_S})
    _log.error("request failed", path=request.url.path, error=repr(error), exc_info=error)
    return _reply(Problem("internal", "The platform made a mistake", 500, "its log says more"))
