"""Rows that are another organization's than their device are found, whoever keeps them where."""

from typing import Any
from uuid import UUID

import numpy as np

from fleetstorm.verification.readings import verify_readings

from .conftest import SENSORS, TENANT

OTHER = UUID(int=0x019_0000_0000_7000_8000_0000_0000_0002)
MOVE = "update iot.sensor_data set organization_id = $3 where sensor_id = $1"
AT = " and measurement_timestamp = $2"


async def verify(case: Any) -> Any:
    return await verify_readings(case.url, [TENANT, OTHER], case.ledger, case.witness)


async def prepare(case: Any) -> None:
    await case.conn.execute(
        "insert into iot.organizations (organization_id, name) values ($1, 'other')", OTHER
    )


async def test_one_organization_has_no_leaks_to_look_for(case: Any) -> None:
    assert (await case.verify()).leaks is None


async def test_rows_where_they_belong_are_no_leaks(case: Any) -> None:
    await prepare(case)
    found = await verify(case)
    assert (found.leaks, found.lost, found.unexpected, found.orphans) == (0, 0, 0, 0)


async def test_a_row_under_another_organization_is_a_leak(case: Any) -> None:
    await prepare(case)
    await case.change(MOVE + AT, 3, 7, OTHER)
    found = await verify(case)
    assert (found.leaks, found.orphans, found.lost) == (1, 1, 0)


async def test_a_registry_that_gave_a_device_to_another_does_not_hide_it(case: Any) -> None:
    """The fleet's own account says whose the device is."""
    await prepare(case)
    case.ledger.organization = np.zeros(SENSORS, np.int32)
    case.ledger.organization[5] = 1
    found = await verify(case)
    assert found.leaks == case.ledger.acknowledged[5]
