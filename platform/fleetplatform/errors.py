"""The platform's errors.

PlatformError
├── SettingsError        a setting is missing or impossible
├── DatabaseError        the database cannot be used as it is
│   ├── MigrationError   a migration or an SQL function was refused
│   └── LayoutError      sensor_data exists with another layout
├── ArchiveError         a file of the archive cannot be written, or is not what it was
├── WireError            a body that cannot be read at all
├── RequestError         what was asked for cannot be done as it was asked
│   ├── InvalidError     a body says something impossible
│   ├── ConflictError    it contradicts what is there already
│   │   ├── IllegalMoveError  a state has no such next state
│   │   └── StaleError   it was changed since it was read
│   ├── ForbiddenError   whoever asks may not do it
│   ├── QuotaError       the organization has used up what it may have
│   └── NotFoundError    it names something that is not there, or is another tenant's
├── ApiError             the platform answered a request with a problem, or not at all
├── Overloaded           a queue is full; come again later
└── Unavailable          the database did not take the batch; come again later
"""


class PlatformError(Exception):
    """Something the platform was asked for cannot be done."""


class SettingsError(PlatformError):
    """A setting is missing or impossible."""


class DatabaseError(PlatformError):
    """The database cannot be used as it is."""


class MigrationError(DatabaseError):
    """A migration or an SQL function was refused."""


class LayoutError(DatabaseError):
    """sensor_data exists with another layout."""


class ArchiveError(PlatformError):
    """A file of the archive cannot be written, or is not what it was."""


class WireError(PlatformError):
    """A body cannot be read at all; nothing of it was taken."""


class RequestError(PlatformError):
    """What was asked for cannot be done as it was asked.

    `code` is one of `wire.problems.CODES`; a class has its own, a mistake may have a narrower one.
    """

    code = "invalid"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class InvalidError(RequestError):
    """A body says something impossible."""


class ConflictError(RequestError):
    """A request contradicts what is there already."""

    code = "conflict"


class IllegalMoveError(ConflictError):
    """A thing cannot go from the state in which it is to the one that was asked for."""

    code = "illegal_move"


class StaleError(ConflictError):
    """A thing was changed by somebody else since it was read."""

    code = "stale"


class ForbiddenError(RequestError):
    """Whoever asks may not do this."""

    code = "forbidden"


class QuotaError(RequestError):
    """The organization has used up what it may have."""

    code = "quota_exceeded"


class NotFoundError(RequestError):
    """A request names something that is not there, or that belongs to another tenant."""

    code = "not_found"


class ApiError(PlatformError):
    """The platform answered a request with a problem; status 0 when it did not answer at all.

    `code` is the stable code of the problem document; the message is one sentence for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Overloaded(PlatformError):  # noqa: N818 - a state, and the field's word for it
    """A queue is full; nothing of the request was taken."""


class Unavailable(PlatformError):  # noqa: N818 - a state, and the field's word for it
    """The database did not take the batch; whether it was stored is not known."""
