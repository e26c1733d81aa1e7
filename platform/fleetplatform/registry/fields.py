"""Texts and times of bodies, as the tables hold them."""

from datetime import datetime

from fleetplatform.errors import InvalidError
from fleetplatform.timeseries.instants import to_datetime
from fleetplatform.wire.paging import Page

EARLIEST_US = -62_104_060_800_000_000
LATEST_US = 221_845_392_000_000_000
"""Years 2 to 9000: what everything that shows a time, or the one before it, can write."""

WORDS_MAX = 200
NOTE_MAX = 2_000


def check_text(name: str, text: str | None, length_max: int = WORDS_MAX) -> None:
    """Raise InvalidError for a text that is given but empty, too long or holds NUL."""
    if text is not None and (not 1 <= len(text) <= length_max or "\0" in text):
        raise InvalidError(f"{name}: write 1 to {length_max} characters")


def instant(name: str, us: int) -> datetime:
    """A time of a body or a parameter; raises InvalidError outside the years 2 to 9000."""
    if not EARLIEST_US <= us <= LATEST_US:
        raise InvalidError(f"{name}: write µs since 1970, in the years 2 to 9000")
    return to_datetime(us)


def instant_or_none(name: str, us: int | None) -> datetime | None:
    """The same for a time that need not be given."""
    return None if us is None else instant(name, us)


def after_instant(page: Page) -> datetime | None:
    """The time after which a page of a list by time begins; None at the start.

    Raises InvalidError (invalid_cursor).
    """
    if page.after_value is None:
        return None
    try:
        return to_datetime(int(page.after_value))
    except (ValueError, OverflowError):
        message = "cursor: give the next_cursor of this list"
        raise InvalidError(message, code="invalid_cursor") from None
