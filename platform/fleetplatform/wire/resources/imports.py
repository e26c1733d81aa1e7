"""Bulk import of devices, line by line."""

from typing import Literal
from uuid import UUID

from fleetplatform.wire.resources.body import Reply

ImportMode = Literal["all_or_none", "skip_bad"]
ImportStatus = Literal["created", "refused"]


class ImportedLine(Reply, frozen=True, kw_only=True):
    """What became of one line, counted from 1; `token` is shown this once.

    code, detail: why it was refused; null where it was not.
    """

    line: int
    serial_number: str | None
    status: ImportStatus
    code: str | None = None
    detail: str | None = None
    device_id: UUID | None = None
    token: str | None = None


class ImportReport(Reply, frozen=True, kw_only=True):
    """The reply to POST /v1/devices/import, in the order of the lines."""

    created: int
    refused: int
    lines: tuple[ImportedLine, ...]
