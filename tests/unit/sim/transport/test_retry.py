"""Pauses between attempts: doubling up to a limit, spread, and never shorter than asked for."""

from hypothesis import given
from hypothesis import strategies as st

from fleetsim.transport.retry import Backoff, RetrySettings

_SETTINGS = RetrySettings(initial=0.2, max=10.0, jitter=0.5)


@given(st.integers(0, 2**32), st.integers(0, 5000))
def test_a_pause_doubles_up_to_its_limit_and_is_spread_around_that(seed: int, attempt: int) -> None:
    pause_s = Backoff(_SETTINGS, seed=seed, shard=0).pause_s(attempt)
    middle = min(0.2 * 2.0 ** min(attempt, 60), 10.0)
    assert 0.5 * middle <= pause_s <= 1.5 * middle


@given(st.integers(0, 2**32), st.integers(0, 20), st.floats(0, 100))
def test_a_pause_is_never_shorter_than_the_backend_asked_for(
    seed: int, attempt: int, asked_s: float
) -> None:
    pause_s = Backoff(_SETTINGS, seed=seed, shard=0).pause_s(attempt, asked_s)
    assert pause_s >= asked_s
    assert pause_s <= max(15.0, 1.5 * asked_s)


def test_pauses_differ_from_each_other_and_between_shards_and_repeat_with_the_seed() -> None:
    def pauses(seed: int, shard: int) -> list[float]:
        backoff = Backoff(_SETTINGS, seed=seed, shard=shard)
        return [backoff.pause_s(3) for _ in range(2000)]

    assert len(set(pauses(1, 0))) == 2000
    assert pauses(1, 0) == pauses(1, 0)
    assert set(pauses(1, 0)).isdisjoint(pauses(1, 1))
