"""Instants: int64 µs since 1970 in arrays, aware datetimes at the door of the database."""

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Before anything that was received."""

_MICROSECOND = timedelta(microseconds=1)


def to_datetime(us: int) -> datetime:
    """An instant as an aware datetime; raises OverflowError outside the years 1 to 9999."""
    return EARLIEST + us * _MICROSECOND


def to_us(instant: datetime) -> int:
    """An aware datetime in µs since 1970."""
    return (instant - EARLIEST) // _MICROSECOND
