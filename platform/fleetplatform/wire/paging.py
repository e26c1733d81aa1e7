"""Lists in pages: what part of a list is asked for, and the cursor that leads to the next one.

A cursor names the last item of its page by the value that the list is sorted by and by its id, so
items that come or go meanwhile make none appear twice. It is text for the platform alone.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import msgspec

from fleetplatform.errors import InvalidError

LIMIT = 100
LIMIT_MAX = 1_000
INSTANT_MAX = 253_370_764_800_000_000
"""Year 9999, in µs since 1970."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    limit: items at most · sort: the key it is sorted by, `descending` or not · after_value,
    after_id: the last item of the page before; None at the start · path: of which list.
    """

    limit: int
    sort: str
    descending: bool = False
    after_value: str | None = None
    after_id: UUID | None = None
    path: str = ""


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    path: str
    sort: str
    value: str
    id: UUID


def parse_page(
    cursor: str | None,
    limit: int,
    sort: str,
    sorts: Sequence[str],
    *,
    both_ways: bool = True,
    path: str = "",
) -> Page:
    """The page that a request asks for; `sort` is one of `sorts`, with - before it for descending.

    A sort that is offered with - is offered descending only, and without `both_ways` one that is
    offered without it ascending only. Raises InvalidError (invalid_sort, invalid_cursor).
    """
    key = sort.removeprefix("-")
    if sort not in sorts and not (both_ways and key in sorts):
        known = ", ".join(sorts)
        raise InvalidError(f"sort: {sort!r} is not one of {known}", code="invalid_sort")
    page = Page(limit, key, sort.startswith("-"), path=path)
    if cursor is None:
        return page
    found = _decode(cursor)
    if found is None or (found.path, found.sort) != (path, sort):
        raise InvalidError("cursor: give the next_cursor of this list", code="invalid_cursor")
    return Page(limit, key, page.descending, found.value, found.id, path)


def instant_of(page: Page) -> int | None:
    """Where a list that is sorted by a time goes on, in µs; None at its start.

    Raises InvalidError (invalid_cursor).
    """
    if page.after_value is None:
        return None
    text = page.after_value
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) > INSTANT_MAX:
        raise InvalidError("cursor: give the next_cursor of this list", code="invalid_cursor")
    return int(text)


def cut(
    items: Sequence[_T], page: Page, place: Callable[[_T], tuple[str, UUID]]
) -> tuple[tuple[_T, ...], str | None]:
    """The items of a page, of which one more than its limit was asked for, and the next cursor.

    place: the value that the list is sorted by and the id, of one item.
    """
    shown = tuple(items[: page.limit])
    if len(items) <= page.limit:
        return shown, None
    sort = f"-{page.sort}" if page.descending else page.sort
    return shown, _encode(_Cursor(page.path, sort, *place(shown[-1])))


def _encode(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def _decode(text: str) -> _Cursor | None:
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(packed, type=_Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    return None if "\0" in found.value else found
