"""What an administrator reads of a sensitive sensor."""

from typing import Any
from uuid import UUID

import asyncpg

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, NotFoundError
from fleetplatform.settings import EncryptionKeys
from fleetplatform.timeseries.instants import to_datetime, to_us
from fleetplatform.wire.resources.sensitive_readings import SensitiveReading

_queries: Any = load(__file__)


async def read(
    pool: Pool,
    tenant: Tenant,
    sensor: UUID,
    span_us: tuple[int, int],
    count: int,
    keys: EncryptionKeys | None,
) -> list[SensitiveReading]:
    """The oldest `count` readings of a sensor from one time up to, without it, another.

    Raises NotFoundError, and ConflictError where they cannot be decrypted.
    """
    async with transaction(pool, tenant) as conn:
        if not await _queries.is_sensor(conn, sensor_id=sensor):
            raise NotFoundError("the organization has no such sensor")
        if keys is None:
            raise ConflictError("this platform has no encryption keys", code="no_key")
        try:
            found = [
                _view(row)
                async for row in _queries.sensitive_readings(
                    conn,
                    sensor_id=sensor,
                    measured_from=to_datetime(span_us[0]),
                    measured_to=to_datetime(span_us[1]),
                    count=count,
                    key_ids=keys.ids,
                    keys=keys.secrets,
                )
            ]
        except asyncpg.UndefinedObjectError as error:
            raise ConflictError(f"a reading cannot be read: {error}", code="no_key") from None
        except asyncpg.DataCorruptedError as error:
            raise ConflictError(f"a reading cannot be read: {error}", code="unreadable") from None
    return sorted(found, key=lambda reading: reading.t_us)


def _view(row: Any) -> SensitiveReading:
    return SensitiveReading(
        t_us=to_us(row["measurement_timestamp"]),
        received_us=to_us(row["received_at"]),
        value=row["sensor_value"],
        sent=row["sent_value"],
        data_quality=row["data_quality"],
        m=row["metadata"],
    )
