"""An override by its plain name, as Hydra takes it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetstorm.config.compose import composer
from fleetstorm.config.overrides import spell, split_sweep
from fleetstorm.errors import UsageError

GROUPS = {"transport", "scenario"}


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("fleet.devices=5000", "++fleet.devices=5000"),
        ("transport=http_json", "transport=http_json"),
        ("load.rate=20k/s", "++load.rate=20k/s"),
        ("+vars.mine=3", "++vars.mine=3"),
        ("out=/tmp/a,b (c)", "++out='/tmp/a,b (c)'"),
        ("platform.url=http://h:1/?a=b#c", "++platform.url='http://h:1/?a=b#c'"),
        ("out=null", "++out=null"),
        ("fleet.mix={climate_v2: 1}", "++fleet.mix={climate_v2: 1}"),
        ("bars.verification.lost.max=0", "++bars.verification.lost.max=0"),
        ("duration=1m#30s", "++duration='1m#30s'"),
        ("~vars", "~vars"),
    ],
)
def test_an_override_is_spelt_for_hydra(written: str, spelt: str) -> None:
    assert spell(written, GROUPS) == spelt


@pytest.mark.parametrize("written", ["smoke", "=3", "a b=3", "--x=3"])
def test_what_is_no_override_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="an override is key=value"):
        spell(written, GROUPS)


def test_an_unknown_first_word_names_the_nearest_key_or_group() -> None:
    with pytest.raises(UsageError, match=r"unknown key scenaro; did you mean scenario\?"):
        spell("scenaro=smoke", GROUPS)


def test_several_values_need_a_sweep() -> None:
    with pytest.raises(UsageError, match="add --multirun"):
        spell("fleet.devices=1,2", GROUPS)
    assert spell("fleet.devices=1,2", GROUPS, sweep=True) == "++fleet.devices=1,2"


def test_a_sweep_is_every_combination() -> None:
    runs = split_sweep(["++fleet.devices=1,2", "transport=http_json,http_arrow", "++seed=7"])
    assert runs == [
        [f"++fleet.devices={n}", f"transport={t}", "++seed=7"]
        for n in (1, 2)
        for t in ("http_json", "http_arrow")
    ]


@pytest.mark.campaign
@settings(max_examples=8)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
def test_any_path_arrives_as_it_was_written(text: str) -> None:
    """Whatever the shell hands over, quotes, brackets and backslashes included."""
    path = f"/d/{text}"
    if "${" in path:  # an interpolation is one on purpose
        return
    with composer() as compose:
        assert compose.compose([f"out={path}"]).config.out == path
