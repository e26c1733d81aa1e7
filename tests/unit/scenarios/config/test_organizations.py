"""Organizations of a fleet as a scenario writes them, and what is wrong with them in a sentence."""

from collections.abc import Iterator

import pytest

from fleetstorm.config.compose import Composer, composer
from fleetstorm.errors import UsageError


@pytest.fixture(scope="module")
def compose() -> Iterator[Composer]:
    """Of the shipped configuration."""
    with composer() as made:
        yield made


def test_a_fleet_is_of_one_organization_unless_it_says_otherwise(compose: Composer) -> None:
    config = compose.compose(["scenario=steady"]).config
    assert [one.name for one in config.fleet_plan(0, "x").organizations] == ["main"]


def test_shares_and_quotas_are_read_with_their_units(compose: Composer) -> None:
    words = "[{name: a, share: 3, quota: {readings_per_s: 2k/s, devices: 20k}}, {name: b}]"
    config = compose.compose(["scenario=steady", f"prepare.organizations={words}"]).config
    a, b = config.prepare.organizations
    assert (a.quota.readings_per_s, a.quota.devices, a.share) == (2000.0, 20_000, 3.0)
    assert (b.quota.readings_per_s, b.share) == (None, 1.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prepare.organizations=[{name: a}, {name: a}]"], "two organizations named a"),
        (["prepare.organizations=[{name: a b}]"], "letters, digits"),
        (["prepare.organizations=[{name: a}, {name: b, share: 0}]"], "b gets none"),
        (["prepare.organizations=[{name: a, share: 0}]"], "none has a share above 0"),
        (["prepare.organizations=[{name: a, share: -1}]"], "share"),
        (["prepare.organizations=[{name: a, quota: {readings_per_s: 5}}]"], "readings_per_s"),
        (["prepare.organizations=[{name: a, quota: {readings_per_s: 0/s}}]"], "readings_per_s"),
        (["prepare.organizations=[{name: a, quota: {sensors: 5}}]"], "sensors"),
        (["timeline=[{at: 1s, load: {organization: x, rate: 5/s}}]"], 'no organization "x"'),
        (["timeline=[{at: 1s, load: {organization: main}}]"], "give it a rate"),
        (["platform.ingest.quota_burst=0s"], "quota_burst"),
    ],
)
def test_what_is_wrong_is_said(compose: Composer, words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compose.compose(["scenario=steady", *words])
