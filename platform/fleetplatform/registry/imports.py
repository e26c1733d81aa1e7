"""Devices from a file, line by line: which lines can be enrolled, and what is wrong with the rest.

A line is judged alone and then among the others; the good ones are enrolled together, in one
transaction, so that no line is ever half there.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError
from fleetplatform.registry import device_types, devices
from fleetplatform.registry.devices import SERIAL_MAX, FirstStatus
from fleetplatform.wire.resources.devices import EnrolledDevices, NewDevice
from fleetplatform.wire.resources.imports import ImportedLine, ImportMode, ImportReport
from fleetplatform.wire.resources.provisioning import RegisteredDevice
from fleetplatform.wire.specification import NAME_MAX

CSV_MEDIA_TYPE = "text/csv"
NDJSON_MEDIA_TYPE = "application/x-ndjson"
COLUMNS = (
    "serial_number", "device_type", "device_type_version", "hardware_revision", "gateway",
)  # fmt: skip
REQUIRED = COLUMNS[:2]
TRIES = 3
"""So often lines are judged again when somebody else enrols one of their devices meanwhile."""

_SHOWN_MAX = 200
_queries: Any = load(__file__)
_decode = msgspec.json.Decoder(RegisteredDevice).decode


@dataclass(slots=True)
class Line:
    """One line of a file, counted from 1; `code` says why it is refused, empty: it is not."""

    number: int
    device: RegisteredDevice | None = None
    code: str = ""
    detail: str = ""

    def refuse(self, code: str, detail: str) -> None:
        """Refuse the line, unless it was refused before for something else."""
        if not self.code:
            self.code, self.detail = code, detail


@dataclass(slots=True)
class _Known:
    """What the platform has of what the lines name."""

    types: dict[tuple[str, str | None], Sequence[str]] = field(default_factory=dict)
    serials: set[str] = field(default_factory=set)


def read(media_type: str, body: bytes, most: int) -> list[Line]:
    """The lines of a file; empty ones are left out.

    Raises InvalidError (import_header for CSV without the columns it needs, import_too_long for
    more than `most` lines).
    """
    found = [(n, one) for n, one in enumerate(body.split(b"\n"), 1) if one.strip()]
    parse: Callable[[bytes], RegisteredDevice] = _decode
    if media_type == CSV_MEDIA_TYPE:
        header, found = found[:1], found[1:]
        parse = _row_parser(header[0][1] if header else b"")
    if len(found) > most:
        sentence = f"{len(found)} lines are too many; send {most} at most in one request"
        raise InvalidError(sentence, code="import_too_long")
    lines = [_parsed(number, text, parse) for number, text in found]
    _check_repeated(lines)
    return lines


def _row_parser(header: bytes) -> Callable[[bytes], RegisteredDevice]:
    """Reads the rows of a CSV file with this first line; raises InvalidError (import_header)."""
    try:
        columns = [one.strip() for one in _cells(header.removeprefix(b"\xef\xbb\xbf"))]
    except (csv.Error, UnicodeError):
        columns = []
    known = set(columns) <= set(COLUMNS) and len(set(columns)) == len(columns)
    if not known or not set(REQUIRED) <= set(columns):
        raise InvalidError(
            f"the first line names the columns: {', '.join(REQUIRED)}, and if wanted"
            f" {', '.join(COLUMNS[2:])}",
            code="import_header",
        )

    def parse(text: bytes) -> RegisteredDevice:
        cells = _cells(text)
        if len(cells) != len(columns):
            raise msgspec.ValidationError(f"it has {len(cells)} cells, not {len(columns)}")
        given = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
        return msgspec.convert(given, RegisteredDevice)

    return parse


def _cells(text: bytes) -> list[str]:
    return next(csv.reader([text.decode().rstrip("\r")], strict=True), [])


def _parsed(number: int, text: bytes, parse: Callable[[bytes], RegisteredDevice]) -> Line:
    line = Line(number)
    try:
        line.device = parse(text)
    except (csv.Error, msgspec.MsgspecError, UnicodeError) as error:
        line.refuse("line_malformed", f"the line cannot be read: {str(error)[:_SHOWN_MAX]}")
        return line
    if not _is_name(line.device.serial_number, SERIAL_MAX):
        line.refuse("serial_invalid", f"a serial number has 1 to {SERIAL_MAX} characters")
    return line


def _is_name(text: str, most: int) -> bool:
    return 1 <= len(text) <= most and "\0" not in text and text.isprintable()


def _check_repeated(lines: Sequence[Line]) -> None:
    first: dict[str, int] = {}
    for line, device in _good(lines):
        number = first.setdefault(device.serial_number, line.number)
        if number != line.number:
            line.refuse("serial_repeated", f"line {number} has the same serial number")


def _good(lines: Sequence[Line]) -> Iterator[tuple[Line, RegisteredDevice]]:
    """The lines that nobody refused, each with its device."""
    for line in lines:
        if not line.code and line.device is not None:
            yield line, line.device


async def enrol(
    pool: Pool, tenant: Tenant, lines: Sequence[Line], mode: ImportMode, status: FirstStatus
) -> ImportReport:
    """Enrol the devices of the good lines, or with all_or_none none if there is a bad one."""
    for _ in range(TRIES):
        judged = [Line(one.number, one.device, one.code, one.detail) for one in lines]
        async with transaction(pool, tenant) as conn:
            _judge(judged, await _known(conn, tenant, judged))
        if mode == "all_or_none" and any(one.code for one in judged):
            for one in judged:
                one.refuse("not_imported", "another line was refused, and all or none was asked")
        try:
            return await _enrol(pool, tenant, judged, status)
        except ConflictError:
            continue
    raise ConflictError("devices of these lines are enrolled by somebody else at the same time")


async def _known(conn: Connection, tenant: Tenant, lines: Sequence[Line]) -> _Known:
    named = [device for _, device in _good(lines)]
    wanted = {(one.device_type, one.device_type_version) for one in named}
    types = await device_types.find(conn, [one for one in wanted if _is_named(*one)])
    serials = {one.serial_number for one in named}
    serials |= {one.gateway for one in named if one.gateway and _is_name(one.gateway, SERIAL_MAX)}
    return _Known(
        {name: one.hardware_revisions for name, one in types.items()},
        {
            row["serial_number"]
            async for row in _queries.find_serials(
                conn, organization_id=tenant.organization, serials=sorted(serials)
            )
        },
    )


def _is_named(name: str, version: str | None) -> bool:
    return _is_name(name, NAME_MAX) and (version is None or _is_name(version, NAME_MAX))


def _judge(lines: Sequence[Line], known: _Known) -> None:
    """Refuse every line that names what is not there, or what is there already."""
    for line, device in _good(lines):
        revisions = known.types.get((device.device_type, device.device_type_version))
        revision = device.hardware_revision
        if revisions is None:
            shown = device.device_type[:_SHOWN_MAX]
            version = device.device_type_version
            also = "" if version is None else f" with version {version[:_SHOWN_MAX]!r}"
            line.refuse("unknown_device_type", f"there is no device type {shown!r}{also}")
        elif revision is not None and revision not in revisions:
            shown = ", ".join(revisions[:5])
            line.refuse("unknown_hardware_revision", f"the type has revisions {shown}")
        elif device.serial_number in known.serials:
            line.refuse("serial_taken", "the organization has a device with this serial number")
    _check_gateways(lines, known)


def _check_gateways(lines: Sequence[Line], known: _Known) -> None:
    """A gateway is there, or comes with a good line; a refused one takes its devices with it."""
    refused = True
    while refused:
        refused = False
        there = known.serials | {device.serial_number for _, device in _good(lines)}
        for line, device in list(_good(lines)):
            gateway = device.gateway
            if gateway is not None and (gateway not in there or gateway == device.serial_number):
                shown = gateway[:_SHOWN_MAX]
                line.refuse(
                    "unknown_gateway", f"there is no other device {shown!r} to speak for it"
                )
                refused = True


async def _enrol(
    pool: Pool, tenant: Tenant, lines: Sequence[Line], status: FirstStatus
) -> ImportReport:
    good = [NewDevice(**msgspec.structs.asdict(device)) for _, device in _good(lines)]
    made = EnrolledDevices(devices=())
    if good:
        made = await devices.enrol(pool, tenant, good, status)
    enrolled = iter(made.devices)
    shown = tuple(_shown(line, enrolled) for line in lines)
    return ImportReport(created=len(good), refused=len(shown) - len(good), lines=shown)


def _shown(line: Line, enrolled: Iterator[Any]) -> ImportedLine:
    serial = None if line.device is None else line.device.serial_number[:_SHOWN_MAX]
    if line.code:
        return ImportedLine(
            line=line.number,
            serial_number=serial,
            status="refused",
            code=line.code,
            detail=line.detail,
        )
    one = next(enrolled)
    return ImportedLine(
        line=line.number,
        serial_number=serial,
        status="created",
        device_id=one.device_id,
        token=one.token,
    )
