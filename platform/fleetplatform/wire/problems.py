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
        "already_provisioned": Code(
            409, "The device made its first contact before; nothing was changed."
        ),
        "archive_unreadable": Code(
            409, "A file of the archive is missing or damaged; the operator puts it back."
        ),
        "behind_gateway": Code(
            403, "A gateway speaks for the device; it has no tokens of its own."
        ),
        "body_too_large": Code(413, "The body is larger than the platform takes; send less."),
        "calibration_exists": Code(409, "The sensor has a calibration from this very time."),
        "certificate_expired": Code(403, "A certificate of the chain is no longer valid."),
        "certificate_malformed": Code(422, "The certificates cannot be read, or are too many."),
        "certificate_not_yet_valid": Code(403, "A certificate of the chain is not valid yet."),
        "certificate_purpose": Code(
            403, "A certificate of the chain is not for what it is used for."
        ),
        "certificate_revoked": Code(403, "A certificate of the chain was revoked by its issuer."),
        "certificate_self_signed": Code(403, "The device's certificate is signed by itself."),
        "certificate_serial": Code(403, "The certificate is another device's."),
        "certificate_untrusted": Code(
            403, "The chain leads to no authority that the organization trusts."
        ),
        "certificate_weak": Code(403, "A key or hash in the chain does not hold."),
        "claim_device_type": Code(403, "The claim token is for devices of another type."),
        "claim_expired": Code(403, "The time of the claim token is over."),
        "claim_serial": Code(403, "The claim token is another device's."),
        "claim_unknown": Code(403, "The claim token is not known, or was revoked."),
        "claim_used": Code(403, "The claim token is used up."),
        "conflict": Code(409, "It contradicts what is there already, such as a name taken."),
        "device_inactive": Code(403, "The device is suspended, decommissioned or not active yet."),
        "device_unregistered": Code(
            403, "Nobody registered the device, and it may not do so itself."
        ),
        "forbidden": Code(403, "The token is good, but whoever shows it may not do this."),
        "group_is_dynamic": Code(409, "The group's rule says its members; nobody else can."),
        "group_is_static": Code(422, "The group has members that are named, and no rule."),
        "group_name_taken": Code(409, "The organization has a device group of this name."),
        "idempotency_in_progress": Code(
            409, "The first request with this Idempotency-Key is not answered yet; send it again."
        ),
        "idempotency_key_reused": Code(
            422, "The Idempotency-Key was used for another request, or with another token."
        ),
        "illegal_move": Code(409, "A state has no such next state."),
        "import_header": Code(
            422, "The first line of a CSV file does not name the columns it must."
        ),
        "import_too_long": Code(
            413, "The file has more lines than one request may; send it in parts."
        ),
        "internal": Code(500, "The platform made a mistake; its log says more."),
        "invalid": Code(422, "The body or a parameter says something impossible."),
        "invalid_area": Code(422, "There is no such place, circle, box or polygon on the earth."),
        "invalid_calibration": Code(422, "The curve is none that a sensor could have."),
        "invalid_cursor": Code(422, "The cursor is not one that this list gave."),
        "invalid_etag": Code(422, "If-Match holds no ETag that a reply carried."),
        "invalid_firmware_version": Code(422, "No firmware can be called so."),
        "invalid_idempotency_key": Code(
            422, "The Idempotency-Key is empty, too long, or not printable ASCII."
        ),
        "invalid_interval": Code(422, "It ends before it begins, or lies outside all time."),
        "invalid_processing_rule": Code(
            422, "No processing rule can be so; the detail says where."
        ),
        "invalid_rule": Code(422, "No group can have this rule; the detail says where."),
        "invalid_serial": Code(422, "No serial number can be so."),
        "invalid_sort": Code(422, "The list cannot be sorted so."),
        "invalid_span": Code(422, "A span of time is empty, reversed or too long."),
        "invalid_tags": Code(422, "No device can have these tags."),
        "last_admin_key": Code(
            409, "Without this key nobody could govern the organization; make another first."
        ),
        "line_malformed": Code(422, "A line of an import cannot be read."),
        "method_not_allowed": Code(405, "The route exists, but not with this method."),
        "name_taken": Code(409, "Another of the organization has this name."),
        "no_archive": Code(
            409, "The platform has no folder for an archive; its operator gives one."
        ),
        "no_key": Code(409, "It is encrypted with a key that the platform does not have."),
        "no_location": Code(404, "Where the device is was neither said nor reported yet."),
        "no_readings": Code(404, "The sensor is there, but has sent nothing yet."),
        "not_found": Code(404, "It is not there, or belongs to somebody else."),
        "not_imported": Code(
            409, "A line of an import is good, but another is not and all or none was asked."
        ),
        "only_viewers_limited": Code(
            422, "Who may change things is not limited to groups of devices: only a viewer is."
        ),
        "organization_ambiguous": Code(
            409, "Several organizations trust the authority: say organization_id."
        ),
        "organization_bounded": Code(
            403, "An organization with quotas has others made below it by the operator alone."
        ),
        "organization_cycle": Code(409, "An organization cannot lie below itself."),
        "organization_depth": Code(409, "The tree of organizations would be too deep."),
        "organization_unsaid": Code(
            403, "The operator must say in which organization: Fleetstorm-Organization."
        ),
        "overloaded": Code(429, "Too many readings wait already; come again after Retry-After."),
        "own_gateway": Code(422, "A device cannot be its own gateway."),
        "policy_exists": Code(
            409, "The organization has a retention policy for just these readings."
        ),
        "proof_invalid": Code(
            403, "The proof is no signature of the right text by the certificate's key."
        ),
        "proof_stale": Code(
            403, "The proof was not made now: its time is far from the wall clock."
        ),
        "quota_exceeded": Code(403, "The organization has used up what it may have."),
        "quota_exceeded_rate": Code(
            429, "The organization sends more readings than it may; come again after Retry-After."
        ),
        "refused": Code(400, "The request is refused; the detail says why."),
        "revocations_expired": Code(
            403, "The revocation list of an authority is overdue; an admin must put one."
        ),
        "revocations_foreign": Code(422, "The revocation list is not the authority's own."),
        "revocations_malformed": Code(
            422, "The revocation list cannot be read, or is signed with a weak hash."
        ),
        "revocations_older": Code(409, "The revocation list is older than the one kept."),
        "revocations_outdated": Code(422, "The revocation list is overdue already."),
        "role_too_high": Code(403, "Nobody gives a role above their own, nor above the user's."),
        "rule_cycle": Code(422, "A processing rule cannot take what it makes itself."),
        "rule_in_use": Code(409, "What the processing rule makes is the input of another."),
        "sensitive_sensor": Code(
            403, "Readings of a sensitive sensor are for administrators alone."
        ),
        "serial_invalid": Code(
            422, "A serial number is empty, too long, or has characters that do not print."
        ),
        "serial_repeated": Code(409, "The request names a serial number more than once."),
        "serial_taken": Code(409, "The organization has a device with this serial number."),
        "stale": Code(412, "It was changed since it was read: read it again."),
        "too_many_buckets": Code(422, "The span makes too many buckets; make them wider."),
        "too_many_calibrations": Code(409, "The sensor has as many calibrations as it may have."),
        "too_many_devices": Code(422, "The place holds too many devices; ask for a smaller one."),
        "too_many_hours": Code(
            422, "The answer takes too many hours of sensors; ask for a shorter span or fewer."
        ),
        "too_many_jobs": Code(409, "As many jobs as may wait do so; ask again later."),
        "too_many_readings": Code(422, "The span holds too many readings; ask for a shorter one."),
        "too_many_streams": Code(503, "Too many readers follow readings; come again later."),
        "too_many_tokens": Code(409, "Too many tokens of the device are good at once."),
        "too_slow": Code(422, "The answer takes too long; ask for a shorter span or less."),
        "unauthorized": Code(401, "There is no token, or none that is known."),
        "unavailable": Code(503, "The platform cannot answer now; try again later."),
        "unfit_firmware": Code(
            422, "The device type has no such firmware for that hardware revision."
        ),
        "unit_mismatch": Code(
            422, "A unit is unknown, or cannot become what a processing rule needs."
        ),
        "unknown_device_type": Code(422, "There is no such device type, or no such version."),
        "unknown_gateway": Code(422, "The organization has no such device to be a gateway."),
        "unknown_hardware_revision": Code(422, "The device type has no such revision."),
        "unknown_input": Code(
            422, "A processing rule takes what is not there, or may not be taken."
        ),
        "unreadable": Code(409, "It cannot be decrypted: the key is another, or it was changed."),
        "unreadable_body": Code(422, "The body cannot be read at all."),
        "unsupported_media": Code(415, "This media type or encoding is not taken."),
        "user_deactivated": Code(409, "The user is deactivated and gets no keys."),
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
    NO_KEY = 9

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
    Rejection.QUOTA_EXCEEDED: "older than the organization's quota storage_days lets readings be",
    Rejection.NO_KEY: "the sensor is sensitive, and the platform has no key to encrypt it with",
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
