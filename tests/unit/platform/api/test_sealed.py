"""What is sealed for the bearer of a token opens for nobody else."""

import pytest

from fleetplatform.api.sealed import seal, unseal

ANSWER = b'{"token": "secret"}'


def test_it_opens_for_the_same_token_key_and_request() -> None:
    sealed = seal("token", "key", b"body", ANSWER)
    assert unseal("token", "key", b"body", sealed) == ANSWER
    assert b"secret" not in sealed


def test_each_time_it_is_sealed_otherwise() -> None:
    assert seal("token", "key", b"body", ANSWER) != seal("token", "key", b"body", ANSWER)


@pytest.mark.parametrize(
    ("token", "key", "body"),
    [("other", "key", b"body"), ("token", "other", b"body"), ("token", "key", b"other")],
)
def test_it_opens_for_nobody_else(token: str, key: str, body: bytes) -> None:
    assert unseal(token, key, body, seal("token", "key", b"body", ANSWER)) is None
