"""Pages of what lies in a window of time, and the cursors that lead on."""

from datetime import datetime
from math import isfinite
from typing import NamedTuple

from fleetplatform.errors import InvalidError
from fleetplatform.timeseries.instants import to_datetime
from fleetplatform.wire.paging import Page

LATEST_US = 221_845_392_000_000_000
"""Year 9000: later times cannot be written by everything that has to write them."""


class Window(NamedTuple):
    """From `from_us` to before `until_us`, virtual."""

    from_us: int
    until_us: int

    def bounds(self) -> dict[str, datetime]:
        """Its ends, as queries take them."""
        return {
            "from_time": to_datetime(self.from_us), "until_time": to_datetime(self.until_us)
        }  # fmt: skip


def after_time(page: Page) -> datetime | None:
    """The time in a page's cursor; raises InvalidError (invalid_cursor)."""
    text = page.after_value
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LATEST_US):
        raise _foreign()
    return to_datetime(int(text))


def after_number(page: Page) -> float | None:
    """The number in a page's cursor; raises InvalidError (invalid_cursor)."""
    if page.after_value is None:
        return None
    try:
        number = float(page.after_value)
    except ValueError:
        raise _foreign() from None
    if not isfinite(number):
        raise _foreign()
    return number


def _foreign() -> InvalidError:
    return InvalidError("cursor: give the next_cursor of this list", code="invalid_cursor")
