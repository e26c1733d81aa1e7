"""Windows of several organizations: who is noisy, what it costs the others, who is held."""

import numpy as np
import pytest

from fleetplatform.wire.clock import ClockLaw
from fleetsim.ledger.report import OrganizationSample, Sample
from fleetstorm.metrics.tenants import TenantRecorder

LAW = ClockLaw(0, 0, 1.0)


def sample(second: int, *organizations: OrganizationSample) -> Sample:
    return Sample(virtual_us=second * 1_000_000, organizations=list(organizations))


def one(emitted: int, acknowledged: int, p99_ms: float | None, refused: int = 0, dropped: int = 0):
    made = OrganizationSample(emitted, acknowledged, dropped, refused)
    if p99_ms is not None:
        made.response.add(np.array([round(p99_ms * 1000)] * 100))
    return made


def ignore(metric: str, value: float, organization: str) -> None:
    return None


def played(*seconds) -> TenantRecorder:
    recorder = TenantRecorder(["a", "b", "c"], [100.0, 100.0, None])
    for second, organizations in enumerate(seconds, 1):
        recorder.record(sample(second, *organizations), LAW, ignore)
    return recorder


QUIET = (one(50, 50, 10), one(50, 50, 10), one(500, 500, 20))
NOISY = (one(1000, 104, 900, refused=40, dropped=7), one(50, 50, 12), one(500, 500, 24))


def test_a_noisy_neighbour_is_found_and_what_it_costs():
    found = played(*[QUIET] * 10, *[NOISY] * 5, *[QUIET] * 5).summary()
    assert (found.windows_quiet, found.windows_noisy) == (3, 1)
    assert found.noisy_over_quota == pytest.approx(1.04)
    assert found.noisy_offered_over_quota == pytest.approx(10)
    assert found.quiet_p99_base_ms == pytest.approx(15, rel=0.02)
    assert found.quiet_p99_ms == pytest.approx(18, rel=0.02)
    assert found.quiet_p99_rise == pytest.approx(1.2, rel=0.02)
    noisy, other, free = found.organizations
    assert (noisy.noisy, other.noisy, free.noisy) == (True, False, False)
    assert (noisy.refused, noisy.dropped) == (200, 35)
    assert other.response_p99_noisy_ms == pytest.approx(12, rel=0.02)
    assert free.offered_per_s == free.stored_per_s == 500


def test_nobody_noisy_is_not_zero_but_nothing():
    found = played(*[QUIET] * 5).summary()
    assert (found.windows_quiet, found.windows_noisy) == (1, 0)
    assert found.quiet_p99_rise is None
    assert found.noisy_over_quota is None


def test_one_organization_is_no_tenants():
    recorder = TenantRecorder(["a"], [10.0])
    recorder.record(Sample(virtual_us=5_000_000), LAW, ignore)
    assert recorder.summary() is None


def test_what_comes_while_draining_counts_in_no_window():
    recorder = played(*[QUIET] * 5)
    recorder.record(sample(5, one(0, 900, 5000), one(0, 0, None), one(0, 0, None)), LAW, ignore)
    found = recorder.summary()
    assert found.windows_quiet == 1
    assert found.organizations[0].stored_per_s == 50


def test_windows_follow_the_wall_clock_at_any_speed():
    recorder = TenantRecorder(["a", "b"], [100.0, 100.0])
    law = ClockLaw(0, 0, 60.0)
    for second in range(1, 11):
        quiet = Sample(virtual_us=second * 60_000_000, organizations=[QUIET[0], QUIET[1]])
        recorder.record(quiet, law, ignore)
    assert recorder.summary().windows_quiet == 2


def test_each_window_is_told():
    told: list[tuple[str, float, str]] = []
    recorder = TenantRecorder(["a", "b", "c"], [100.0, 100.0, None])
    for second in range(1, 6):
        recorder.record(sample(second, *NOISY), LAW, lambda *figure: told.append(figure))
    assert ("tenants.refused_per_s", 40.0, "a") in told
    assert ("tenants.stored_per_s", 104.0, "a") in told
    assert len(told) == 3 * 4
