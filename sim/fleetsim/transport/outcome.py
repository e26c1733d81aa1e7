"""What became of one request, from the reply of the backend."""

from typing import NamedTuple

import msgspec

from fleetplatform.wire.resources.receipts import Receipt
from fleetsim.transport.response import NO_ANSWER, Reply

REJECTIONS_LISTED_MAX = 100
"""A receipt names at most this many rejected readings."""


class Taken(NamedTuple):
    """The backend has answered for every reading of the request."""

    receipt: Receipt


class Refused(NamedTuple):
    """The backend will not have this request, now or later; `code` says why, e.g. "http_401"."""

    code: str


class Again(NamedTuple):
    """The request is to be repeated.

    uncertain: its readings may have been stored all the same · at_once: it met a connection that
    the server had closed while it idled, which says nothing about the server's state ·
    retry_after_s: the pause the backend asked for.
    """

    uncertain: bool
    at_once: bool = False
    retry_after_s: float | None = None


Outcome = Taken | Refused | Again

_receipts = msgspec.json.Decoder(Receipt)


def judge(reply: Reply) -> Outcome:
    """The outcome a reply stands for; a 200 that is no receipt counts as no answer."""
    status = reply.status
    if status == 200:
        try:
            return Taken(_receipts.decode(reply.body))
        except msgspec.MsgspecError:
            return Again(uncertain=True)
    if status == NO_ANSWER:
        return Again(uncertain=True, at_once=reply.keep_alive)
    if status == 429:
        return Again(uncertain=False, retry_after_s=reply.retry_after_s)
    if status >= 500:
        # The platform says 503 as well when a commit was cut off, so the rows may be there.
        return Again(uncertain=True, retry_after_s=reply.retry_after_s)
    return Refused(f"http_{status}")
