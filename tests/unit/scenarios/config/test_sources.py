"""Which file a key was written in."""

from fleetstorm.config.sources import COMMAND_LINE, Source, Sources, below, find

SOURCES = Sources(
    [
        Source("config.yaml", {"fleet": {"devices": 1, "mix": {"a": 1}}, "timeline": []}),
        Source("smoke.yaml", {"fleet": {"mix": {"b": 1}}, "timeline": [{"at": "1s"}, {"x": {}}]}),
        Source(COMMAND_LINE, below("fleet.mix.c", 2), "fleet.mix.c"),
    ]
)


def test_the_last_to_write_a_key_is_its_source() -> None:
    assert SOURCES.where("fleet.devices") == "config.yaml"
    assert SOURCES.where("fleet.mix.b") == "smoke.yaml"
    assert SOURCES.where("fleet.mix.c") == COMMAND_LINE
    assert SOURCES.where("timeline[1].x") == "smoke.yaml"


def test_a_missing_key_belongs_to_the_source_of_what_is_above_it() -> None:
    assert SOURCES.where("timeline[0].load") == "smoke.yaml"
    assert SOURCES.where("nowhere") == ""


def test_a_key_may_have_dots_in_it() -> None:
    sources = Sources([Source("a.yaml", {"bars": {"load.stored": {"mx": 1}}})])
    assert sources.where("bars.load.stored.mx") == "a.yaml"


def test_the_keys_of_a_mapping_that_is_one_value() -> None:
    """The last file to give it whole, and what the command line adds to that."""
    assert SOURCES.last_keys("fleet.mix") == {"b", "c"}
    assert SOURCES.last_keys("fleet.regions") is None


def test_a_star_stands_for_any_key() -> None:
    tree = {"a": {"x": {"s": 1}, "y": {"s": 2}, "z": 3}}
    assert list(find(tree, "a.*.s")) == [("a.x.s", 1), ("a.y.s", 2)]
