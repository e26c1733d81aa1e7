"""The words that an organization gives its devices, and how their texts are checked."""

from collections.abc import Sequence

from fleetplatform.errors import InvalidError

TAGS_MAX = 50
TAG_MAX = 100
FIRMWARE_MAX = 100


def sorted_tags(tags: Sequence[str], place: str) -> list[str]:
    """Tags as they are kept, each once; raises InvalidError (invalid_tags) naming the place."""
    for tag in tags:
        if not 1 <= len(tag) <= TAG_MAX or not tag.isprintable() or tag != tag.strip():
            raise InvalidError(
                f"{place}: a tag has 1 to {TAG_MAX} printable characters, none of them a space at"
                f" an end, not {tag[:TAG_MAX]!r}",
                code="invalid_tags",
            )
    found = sorted(set(tags))
    if len(found) > TAGS_MAX:
        raise InvalidError(
            f"{place}: a device has {TAGS_MAX} tags at most, not {len(found)}", code="invalid_tags"
        )
    return found


def check_firmware(version: str | None, place: str) -> None:
    """Raise InvalidError (invalid_firmware_version) for one that no device can have."""
    if version is not None and not (1 <= len(version) <= FIRMWARE_MAX and version.isprintable()):
        raise InvalidError(
            f"{place}: a firmware version has 1 to {FIRMWARE_MAX} printable characters",
            code="invalid_firmware_version",
        )
