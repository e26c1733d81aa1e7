"""What every body of the management API is: a request that is strict, a reply that may grow."""

from typing import Annotated

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*\Z")]
"""A name for people, as every table of named things holds it."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of request bodies: an unknown member is refused."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """Base of replies: a reader skips members it does not know."""


class Revised(Reply, frozen=True, kw_only=True):
    """Base of replies that show one thing which can be changed; `revision` moves with a change.

    The API sends it as ETag and compares it with If-Match.
    """

    revision: int
