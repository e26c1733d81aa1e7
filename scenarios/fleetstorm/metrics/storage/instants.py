"""Virtual time as PostgreSQL takes it."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(us: int) -> datetime:
    """Microseconds since 1970 as a time in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=us)
