"""Token buckets: what an organization gets in a time, in debt and out of it."""

import math
import random

import numpy as np
import pytest

from fleetplatform.ingest.quotas import Bucket, RateQuotas
from fleetplatform.registry.directory import Directory


class Clock:
    """A clock that moves when it is told to."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def quotas(*rates: float, burst_s: float = 1.0) -> tuple[RateQuotas, Clock]:
    """One device of each organization, by the same index."""
    directory, clock = Directory(), Clock()
    directory.device_organization = np.arange(len(rates), dtype=np.int32)
    directory.organization_rate = np.array(rates)
    return RateQuotas(directory, burst_s, clock), clock


def test_a_bucket_begins_full_and_pays_its_debt_at_its_rate():
    limits, clock = quotas(100.0)
    assert limits.wait_s(0) == 0
    limits.charge(0, 350)
    assert limits.wait_s(0) == pytest.approx(2.5)
    clock.now_s += 2.4
    assert limits.wait_s(0) == pytest.approx(0.1)
    clock.now_s += limits.wait_s(0)
    assert limits.wait_s(0) < 1e-9
    clock.now_s += 1e-6
    assert limits.wait_s(0) == 0


def test_a_bucket_that_is_just_empty_says_a_wait_above_nothing():
    assert 0 < Bucket(0.0, 5.0).wait_s(10.0, 10.0, 5.0) < 1e-9


def test_silence_saves_no_more_than_the_burst():
    limits, clock = quotas(100.0, burst_s=2.0)
    limits.wait_s(0)
    clock.now_s += 3600
    assert limits.wait_s(0) == 0
    limits.charge(0, 200)
    assert limits.wait_s(0) > 0


def test_organizations_without_a_quota_never_wait_and_are_counted():
    limits, _ = quotas(math.inf, 10.0)
    limits.charge(0, 10**9)
    assert limits.wait_s(0) == 0
    assert limits.wait_s(1) == 0
    limits.charge(1, 11)
    assert limits.wait_s(1) > 0
    assert dict(limits.take_counts()) == {0: 10**9, 1: 11}
    assert not limits.take_counts()


def test_what_is_given_back_can_be_had_again():
    limits, _ = quotas(10.0)
    limits.wait_s(0)
    limits.charge(0, 50)
    limits.charge(0, -50)
    assert limits.wait_s(0) == 0


def test_another_rate_holds_from_the_next_request_on():
    limits, clock = quotas(10.0)
    limits.wait_s(0)
    limits.charge(0, 110)
    assert limits.wait_s(0) == pytest.approx(10)
    limits._directory.organization_rate = np.array([1000.0])
    assert limits.wait_s(0) == pytest.approx(0.1)
    limits._directory.organization_rate = np.array([math.inf])
    assert limits.wait_s(0) == 0
    clock.now_s += 1


def test_over_any_time_nobody_gets_more_than_rate_times_time_and_burst_and_one_body():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    limits, clock = quotas(200.0)
    body_max, taken, began_s = 80, 0, clock.now_s
    for _ in range(20_000):
        clock.now_s += draw.expovariate(100)
        if limits.wait_s(0) == 0:
            body = draw.randint(1, body_max)
            limits.charge(0, body)
            taken += body
        passed_s = clock.now_s - began_s
        assert taken <= 200 * (passed_s + 1) + body_max
    assert taken > 0.9 * 200 * (clock.now_s - began_s)
