"""Every error of the driver ends the program with its documented exit code, and says something."""

import pytest

from fleetstorm.errors import (
    FleetstormError,
    InfrastructureError,
    Interrupted,
    PartDiedError,
    UsageError,
)


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [(UsageError, 2), (InfrastructureError, 5), (PartDiedError, 5), (Interrupted, 130)],
)
def test_exit_codes_are_those_documented(kind: type[FleetstormError], exit_code: int) -> None:
    assert kind.exit_code == exit_code


def test_an_error_without_words_of_its_own_says_what_its_class_stands_for() -> None:
    assert str(UsageError()) == "Wrong usage or configuration."


def test_a_part_that_died_is_named_with_its_exit_code_and_last_words() -> None:
    message = str(PartDiedError("worker", 3, "no database", "logs/worker.log"))
    for said in ("worker", "exit code 3", "no database", "logs/worker.log"):
        assert said in message
