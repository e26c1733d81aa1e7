"""The calibrations of a sensor, entered one after the other and never changed; which are due."""

from typing import Any
from uuid import UUID

import asyncpg

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, NotFoundError
from fleetplatform.registry import sensors
from fleetplatform.registry.curves import check_due, coefficients_of, factors_of
from fleetplatform.registry.fields import (
    EARLIEST_US,
    NOTE_MAX,
    after_instant,
    check_text,
    instant,
    instant_or_none,
)
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.calibrations import (
    Calibration,
    Calibrations,
    NewSensorCalibration,
)

CALIBRATIONS_MAX = 1_000
"""Of one sensor: a late reading looks back through them one by one."""

_queries: Any = load(__file__)


async def add(pool: Pool, tenant: Tenant, sensor: UUID, new: NewSensorCalibration) -> Calibration:
    """Enter a calibration of one of the organization's own sensors.

    Raises InvalidError, NotFoundError, and ConflictError where one holds from the same time
    (calibration_exists) or there are too many (too_many_calibrations).
    """
    factors = factors_of(new)
    check_due(new.valid_from_us, new.due_at_us)
    check_text("performed_by", new.performed_by)
    check_text("note", new.note, NOTE_MAX)
    try:
        async with transaction(pool, tenant) as conn:
            row = await _queries.add_calibration(
                conn,
                organization_id=tenant.organization,
                sensor_id=sensor,
                multiplier=factors.multiplier,
                offset=factors.offset,
                higher=factors.higher,
                valid_from=instant_or_none("valid_from_us", new.valid_from_us),
                due_at=instant_or_none("due_at_us", new.due_at_us),
                performed_by=new.performed_by,
                note=new.note,
            )
            if await _queries.count_calibrations(conn, sensor_id=sensor) > CALIBRATIONS_MAX:
                raise ConflictError(
                    f"the sensor has {CALIBRATIONS_MAX} calibrations, and may have no more",
                    code="too_many_calibrations",
                )
    except asyncpg.UniqueViolationError:
        message = "the sensor has a calibration from this time: enter one from another time"
        raise ConflictError(message, code="calibration_exists") from None
    if row is None:
        raise sensors.no_sensor()
    return _view(row)


async def listed(pool: Pool, tenant: Tenant, sensor: UUID, page: Page) -> Calibrations:
    """A page of a sensor's history, in the order in which its calibrations hold.

    Raises NotFoundError for a sensor that is not seen.
    """
    after = after_instant(page)
    async with transaction(pool, tenant) as conn:
        if await _queries.read_sensor(conn, sensor_id=sensor) is None:
            raise sensors.no_sensor()
        found = [
            _view(row)
            async for row in _queries.list_calibrations(
                conn,
                sensor_id=sensor,
                descending=page.descending,
                after=after,
                count=page.limit + 1,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (_place(one), one.calibration_id))
    return Calibrations(calibrations=shown, next_cursor=cursor)


def _place(calibration: Calibration) -> str:
    """What a history is sorted by; one that holds always is before all times."""
    from_us = calibration.valid_from_us
    return str(EARLIEST_US - 1 if from_us is None else from_us)


async def read(pool: Pool, tenant: Tenant, calibration: UUID) -> Calibration:
    """One calibration; raises NotFoundError for one that is not seen."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.read_calibration(conn, calibration_id=calibration)
    if row is None:
        raise NotFoundError("the organization has no such calibration")
    return _view(row)


async def due(pool: Pool, tenant: Tenant, before_us: int, page: Page) -> Calibrations:
    """A page of the calibrations that are due before a time, soonest first.

    One that a later one has followed is due no more, whenever that begins to hold.
    """
    after = after_instant(page)
    async with transaction(pool, tenant) as conn:
        found = [
            _view(row)
            async for row in _queries.due_calibrations(
                conn,
                before=instant("before", before_us),
                after=after,
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (str(one.due_at_us), one.calibration_id))
    return Calibrations(calibrations=shown, next_cursor=cursor)


def _view(row: Any) -> Calibration:
    multiplier, offset = row["multiplier"], row["offset_value"]
    coefficients = coefficients_of(multiplier, offset, row["higher_factors"])
    return Calibration(
        calibration_id=row["calibration_id"],
        organization_id=row["organization_id"],
        sensor_id=row["sensor_id"],
        multiplier=multiplier if coefficients is None else None,
        offset=offset if coefficients is None else None,
        coefficients=coefficients,
        valid_from_us=None if row["valid_from"] is None else to_us(row["valid_from"]),
        due_at_us=None if row["due_at"] is None else to_us(row["due_at"]),
        performed_by=row["performed_by"],
        note=row["note"],
        actor=row["actor"],
        created_at_us=to_us(row["created_at"]),
    )
