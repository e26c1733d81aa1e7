"""Alerts in a real table are matched with those that the oracle expects."""

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from fleetsim.ledger.report import ExpectedAlert
from fleetstorm.verification.alerts import AlertsVerdict, verify_alerts

Case = Any

TENANT = UUID(int=0x019_0000_0000_7000_8000_0000_0000_0001)
JUNE_US = 1_780_272_000_000_000

RAISE = """
with rule as (
    insert into iot.alert_rules (organization_id, name, conditions, severity)
    values ($1, $2, '{"threshold_high": 30}', 'warning')
    on conflict (organization_id, name) do update set severity = 'warning'
    returning rule_id
)
insert into iot.alerts (organization_id, rule_id, sensor_id, device_id, severity, alert_status,
                        alert_timestamp, resolved_at, recorded_at)
select $1, rule_id, $3, $3, 'warning', 'resolved', t, t,
       timestamptz 'epoch' + $5::bigint * interval '1 us'
from rule, (select timestamptz 'epoch' + $4::bigint * interval '1 us') as at (t)
"""


class Law:
    """Virtual time runs twice as fast as the wall clock; both are at 1 June."""

    speed = 2.0

    def wall_us(self, virtual_us: int) -> int:
        return JUNE_US + (virtual_us - JUNE_US) // 2


async def raise_alert(case: Case, rule: str, sensor: int, second: int) -> None:
    """An alert that is recorded 40 ms after the reading's time on the wall clock."""
    at_us = JUNE_US + second * 1_000_000
    recorded_us = Law().wall_us(at_us) + 40_000
    await case.conn.execute(RAISE, TENANT, rule, case.sensor_id(sensor), at_us, recorded_us)


def expect(case: Case, rule: str, sensor: int, second: int, *, certain: bool = True) -> None:
    at_us = JUNE_US + second * 1_000_000
    case.ledger.expected_alerts.append(ExpectedAlert(rule, sensor, at_us, -1, certain))


async def verify(case: Case, law: Law | None = None) -> AlertsVerdict:
    return await verify_alerts(case.url, [TENANT], case.ledger, law)


def counts(verdict: AlertsVerdict) -> tuple[int, int, int, int]:
    return verdict.expected, verdict.raised, verdict.missed, verdict.false


async def test_alerts_that_were_expected_are_right(case: Case) -> None:
    for second in (3, 9):
        expect(case, "too hot", 4, second)
        await raise_alert(case, "too hot", 4, second)
    verdict = await verify(case)
    assert counts(verdict) == (2, 2, 0, 0)
    assert (verdict.examples, verdict.latency) == ((), None)


async def test_a_missed_and_a_false_alert_are_named(case: Case) -> None:
    expect(case, "too hot", 4, 3)
    await raise_alert(case, "too hot", 5, 3)
    verdict = await verify(case)
    assert counts(verdict) == (1, 1, 1, 1)
    assert [(e.what, e.rule, e.serial, e.t) for e in verdict.examples] == [
        ("alert_missed", "too hot", "run-d5", "2026-06-01T00:00:03Z"),
        ("alert_false", "too hot", "run-d6", "2026-06-01T00:00:03Z"),
    ]


async def test_an_alert_raised_twice_is_false_once(case: Case) -> None:
    expect(case, "too hot", 4, 3)
    await raise_alert(case, "too hot", 4, 3)
    await raise_alert(case, "too hot", 4, 3)
    assert counts(await verify(case)) == (1, 2, 0, 1)


async def test_an_alert_of_another_rule_or_time_is_another_alert(case: Case) -> None:
    expect(case, "too hot", 4, 3)
    await raise_alert(case, "too cold", 4, 3)
    await raise_alert(case, "too hot", 4, 4)
    assert counts(await verify(case)) == (1, 2, 1, 2)


async def test_an_uncertain_alert_may_be_there_or_not(case: Case) -> None:
    expect(case, "too hot", 4, 3, certain=False)
    expect(case, "too hot", 4, 9, certain=False)
    await raise_alert(case, "too hot", 4, 9)
    assert counts(await verify(case)) == (0, 1, 0, 0)


async def test_a_reading_of_unknown_fate_may_have_raised_an_alert_once(case: Case) -> None:
    unknown_from_us = np.full(case.ledger.sensors, np.iinfo(np.int64).max)
    unknown_from_us[4] = JUNE_US + 5_000_000
    case.ledger.unknown_from_us = unknown_from_us
    await raise_alert(case, "too hot", 4, 5)
    await raise_alert(case, "too hot", 4, 8)
    assert counts(await verify(case)) == (0, 2, 0, 0)
    await raise_alert(case, "too hot", 4, 4)
    await raise_alert(case, "too hot", 5, 8)
    assert counts(await verify(case)) == (0, 4, 0, 2)
    await raise_alert(case, "too hot", 4, 8)
    assert counts(await verify(case)) == (0, 5, 0, 4)


async def test_latency_is_on_the_wall_clock(case: Case) -> None:
    for second in range(10):
        expect(case, "too hot", 4, second)
        await raise_alert(case, "too hot", 4, second)
    latency = (await verify(case, Law())).latency
    assert latency is not None
    assert latency.count == 10
    assert latency.percentile(50) == pytest.approx(40_000, rel=0.01)
