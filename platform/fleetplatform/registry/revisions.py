"""Whether a thing is still as somebody saw it."""

from fleetplatform.errors import StaleError


def check_revision(found: int, expected: int | None) -> None:
    """Raise StaleError where a thing has another revision than was seen; None: any will do."""
    if expected is not None and found != expected:
        raise StaleError("it was changed since it was read: read it again")
