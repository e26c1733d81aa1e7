"""Problem documents (RFC 9457) and the codes a reading is rejected with."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

MEDIA_TYPE = "application/problem+json"


class Code(NamedTuple):
    """What a code of a problem document means; docs/errors.md lists them."""

    status: int
    meaning: str


CODES: Mapping[str, Code] = MappingProxyType(
    {
        "body_too_large": Code(413, "The body is larger than the platform takes; send less."),
        "conflict": Code(409, "It contradicts what is there already, such as a name taken."),
        "device_inactive": Code(403, "The device is suspended, decommissioned or not active yet."),
        "forbidden": Code(403, "The token is good, but whoever shows it may not do this."),
        "group_is_dynamic": Code(409, "The group's rule says its members; nobody else can."),
        "group_is_static": Code(422, "The group has members that are named, and no rule."),
        "group_name_taken": Code(409, "The organization has a device group of this name."),
        "illegal_move": Code(409, "A state has no such next state."),
        "internal": Code(500, "The platform made a mistake; its log says more."),
        "invalid": Code(422, "The body or a parameter says something impossible."),
        "invalid_area": Code(422, "There is no such place, circle, box or polygon on the earth."),
        "invalid_cursor": Code(422, "The cursor is not one that this list gave."),
        "invalid_etag": Code(422, "If-Match holds no ETag that a reply carried."),
        "invalid_firmware_version": Code(422, "No firmware can be called so."),
        "invalid_rule": Code(422, "No group can have this rule; the detail says where."),
        "invalid_serial": Code(422, "No serial number can be so."),
        "invalid_sort": Code(422, "The list cannot be sorted so."),
        "invalid_tags": Code(422, "No device can have these tags."),
        "method_not_allowed": Code(405, "The route exists, but not with this method."),
        "no_location": Code(404, "Where the device is was neither said nor reported yet."),
        "not_found": Code(404, "It is not there, or belongs to somebody else."),
        "overloaded": Code(429, "Too many readings wait already; come again after Retry-After."),
        "own_gateway": Code(422, "A device cannot be its own gateway."),
        "quota_exceeded": Code(403, "The organization has used up what it may have."),
        "refused": Code(400, "The request is refused; the detail says why."),
        "serial_repeated": Code(409, "The request names a serial number more than once."),
        "serial_taken": Code(409, "The organization has a device with this serial number."),
        "stale": Code(412, "It was changed since it was read: read it again."),
        "unauthorized": Code(401, "There is no token, or none that is known."),
        "unknown_device_type": Code(422, "There is no such device type, or no such version."),
        "unknown_gateway": Code(422, "The organization has no such device to be a gateway."),
        "unknown_hardware_revision": Code(422, "The device type has no such revision."),
        "unreadable_body": Code(422, "The body cannot be read at all."),
        "unsupported_media": Code(415, "This media type or encoding is not taken."),
        "unavailable": Code(503, "The platform cannot answer now; try again later."),
    }
)


class Rejection(IntEnum):
    """Why one reading was not taken; ACCEPTED marks those that were."""

    ACCEPTED = 0
    UNKNOWN_SENSOR = 1
    NOT_YOUR_DEVICE = 2
    NOT_A_NUMBER = 3
    OUT_OF_WINDOW = 4
    DEVICE_INACTIVE = 5
    SENSOR_INACTIVE = 6
    QUOTA_EXCEEDED = 7
    MALFORMED = 8

    @property
    def code(self) -> str:
        """The code on the wire."""
        return self.name.lower()


DETAILS = {
    Rejection.UNKNOWN_SENSOR: "no sensor of this organization has that id or name",
    Rejection.NOT_YOUR_DEVICE: "the sensor belongs to a device this token does not speak for",
    Rejection.NOT_A_NUMBER: "the value must be a finite number",
    Rejection.OUT_OF_WINDOW: "the time is too far in the past or in the future",
    Rejection.DEVICE_INACTIVE: "the device is suspended, decommissioned or not yet provisioned",
    Rejection.SENSOR_INACTIVE: "the sensor is not active",
    Rejection.QUOTA_EXCEEDED: "the organization's quota of readings is used up",
    Rejection.MALFORMED: "a reading needs sensor, t and v of the right kind",
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One problem document. `code` is stable; people read `title` and `detail`."""

    code: str
    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"

    def encode(self) -> bytes:
        """The document as JSON."""
        return msgspec.json.encode(self)
