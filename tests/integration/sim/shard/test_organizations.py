"""A shard with devices of several organizations: enrolled apart, counted apart, measured alike."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fleetsim.load.change import LoadChange
from fleetsim.settings import FleetOrganization, FleetPlan

START_US = 1_780_272_000_000_000
SHARES = {"noisy": 1.0, "quiet": 2.0, "calm": 2.0}
_FAST_RETRY = {"initial": "20ms", "max": "100ms", "jitter": "50%"}


def _organizations() -> tuple[FleetOrganization, ...]:
    return tuple(
        FleetOrganization(name=name, share=share, token=f"key-of-{name}")
        for name, share in SHARES.items()
    )


@pytest.mark.parametrize("transport", ["http_json", "http_arrow"])
async def test_each_organization_enrols_with_its_key_and_has_figures_of_its_own(
    make_plan: Callable[..., FleetPlan], backend: Any, play: Any, transport: str
) -> None:
    keys = {"report_interval": "50ms", "retry": _FAST_RETRY}
    plan = make_plan(
        transport, url=backend.url, transport_keys=keys, devices_per_gateway=3,
        organizations=_organizations(),
    )  # fmt: skip
    backend.behave = lambda number: "429" if number % 4 == 0 else "ok"
    order = LoadChange(START_US + 5_000_000, rate=20.0, organization="noisy")
    played = await play(plan, orders=[order])
    report = played.report
    of_device = dict(zip(report.serial, report.organization.tolist(), strict=True))
    names = list(SHARES)
    keys_used = {serial: f"Bearer key-of-{names[i]}" for serial, i in of_device.items()}
    assert {s: backend.enrolled_with[s] for s in of_device} == keys_used
    assert np.bincount(list(of_device.values())).tolist() == [4, 8, 8]
    by_organization = np.bincount(report.organization, weights=report.acknowledged).tolist()
    for i, acknowledged in enumerate(by_organization):
        samples = [sample.organizations[i] for sample in played.samples]
        assert sum(one.acknowledged for one in samples) == acknowledged
        assert sum(one.emitted for one in samples) == acknowledged
        assert sum(one.response.count for one in samples) == acknowledged
    assert by_organization == [4 * 5 + 100, 8 * 10, 8 * 10]
    refused = sum(one.refused for sample in played.samples for one in sample.organizations)
    assert refused == backend.behaved["429"]


async def test_the_digest_does_not_know_of_organizations(
    make_plan: Callable[..., FleetPlan], backend: Any, play: Any
) -> None:
    alone = make_plan("http_arrow", url=backend.url)
    several = make_plan("http_arrow", url=backend.url, organizations=_organizations())
    assert (await play(alone)).digest == (await play(several)).digest
