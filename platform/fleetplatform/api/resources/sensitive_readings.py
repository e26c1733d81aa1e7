"""Readings of sensitive sensors, for administrators alone."""

from typing import Annotated
from uuid import UUID

import structlog
from litestar import get
from litestar.params import Parameter

from fleetplatform.api.access import Context
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry.organizations import Role
from fleetplatform.timeseries.sensitive import reader
from fleetplatform.wire.resources.sensitive_readings import SensitiveReadings

COUNT = 1_000
COUNT_MAX = 10_000
LATEST_US = 7_258_118_400_000_000
"""2200-01-01, beyond which no partition is made."""

_log = structlog.get_logger()


@get("/v1/sensors/{sensor_id:uuid}/sensitive-readings", opt={"role": Role.ADMIN})
async def read_sensitive_readings(
    sensor_id: UUID,
    tenant: Tenant,
    context: Context,
    from_us: Annotated[int, Parameter(ge=0, le=LATEST_US)] = 0,
    to_us: Annotated[int, Parameter(ge=0, le=LATEST_US)] = LATEST_US,
    limit: Annotated[int, Parameter(ge=1, le=COUNT_MAX)] = COUNT,
) -> SensitiveReadings:
    """The oldest readings in a span, decrypted; the platform's log says who read how many."""
    span_us = (from_us, to_us)
    found = await reader.read(context.pool, tenant, sensor_id, span_us, limit, context.encryption)
    _log.info(
        "sensitive readings read", actor=tenant.actor, sensor=str(sensor_id), readings=len(found)
    )
    return SensitiveReadings(readings=tuple(found))


handlers = [read_sensitive_readings]
