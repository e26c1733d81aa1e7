"""Many devices from a file."""

from litestar import Request, post
from litestar.exceptions import HTTPException

from fleetplatform.api.access import Context
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import imports
from fleetplatform.registry.devices import FirstStatus
from fleetplatform.wire.resources.imports import ImportMode, ImportReport

_TYPES = (imports.CSV_MEDIA_TYPE, imports.NDJSON_MEDIA_TYPE)


@post("/v1/devices/import", status_code=200)
async def import_devices(
    request: Request,  # type: ignore[type-arg]
    tenant: Tenant,
    context: Context,
    mode: ImportMode = "all_or_none",
    status: FirstStatus = "active",
) -> ImportReport:
    """Enrol the devices of a CSV or JSON lines file; the report says what became of each line."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _TYPES:
        raise HTTPException(f"send {' or '.join(_TYPES)}", status_code=415)
    lines = imports.read(media_type, await request.body(), context.import_lines_max)
    return await imports.enrol(context.pool, tenant, lines, mode, status)


handlers = [import_devices]
