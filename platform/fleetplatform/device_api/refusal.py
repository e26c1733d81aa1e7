"""Why a request as a whole is not taken."""

import math
from collections.abc import Sequence

from fleetplatform.errors import PlatformError
from fleetplatform.wire.problems import Problem

RETRY_AFTER_MAX_S = 3600

Headers = Sequence[tuple[bytes, bytes]]


class Refusal(PlatformError):  # noqa: N818 - an answer, not a failure of the platform
    """A request is answered with a problem document; nothing of it was taken."""

    def __init__(
        self, status: int, code: str, title: str, detail: str = "", headers: Headers = ()
    ) -> None:
        super().__init__(title)
        self.problem = Problem(code=code, title=title, status=status, detail=detail)
        self.headers = headers


def unauthorized(detail: str) -> Refusal:
    """401: no token, or one that is not known."""
    challenge = [(b"www-authenticate", b"Bearer")]
    return Refusal(401, "unauthorized", "A device token is needed", detail, challenge)


def inactive() -> Refusal:
    """403: a device that may not speak now."""
    detail = "the device is suspended, decommissioned or not yet provisioned"
    return Refusal(403, "device_inactive", "This device may not send", detail)


def too_large(limit_bytes: int, what: str) -> Refusal:
    """413: a body beyond a limit."""
    detail = f"{what} may have at most {limit_bytes} bytes"
    close = [(b"connection", b"close")]
    return Refusal(413, "body_too_large", "The body is too large", detail, close)


def unsupported(what: str, known: str) -> Refusal:
    """415: a media type or an encoding that is not known."""
    title = "The body has a type not taken here"
    return Refusal(415, "unsupported_media", title, f"{what}; {known}")


def unreadable(detail: str) -> Refusal:
    """422: a body that cannot be read at all."""
    return Refusal(422, "unreadable_body", "The body cannot be read", detail)


def over_quota(wait_s: float) -> Refusal:
    """429: the organization has sent more readings than its quota; says when it may again."""
    after_s = max(1, min(RETRY_AFTER_MAX_S, math.ceil(wait_s)))
    detail = f"the organization's quota of readings a second is used up; come again in {after_s} s"
    headers = [(b"retry-after", b"%d" % after_s)]
    return Refusal(429, "quota_exceeded_rate", "Too many readings for the quota", detail, headers)


def come_again(status: int, detail: str, retry_after_s: int) -> Refusal:
    """429 when a queue is full, 503 when the platform cannot store now; both say when to retry."""
    code, title = {
        429: ("overloaded", "Too many readings wait already"),
        503: ("unavailable", "The platform cannot store readings now"),
    }[status]
    return Refusal(status, code, title, detail, [(b"retry-after", b"%d" % retry_after_s)])
