"""Problem documents (RFC 9457) and the codes a reading is rejected with."""

from enum import IntEnum

import msgspec

MEDIA_TYPE = "application/problem+json"


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
