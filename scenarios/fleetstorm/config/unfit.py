"""What Hydra refuses although every file is well in itself, as a sentence of our own."""

import re
from collections.abc import Callable, Sequence

from omegaconf.errors import OmegaConfBaseException

from fleetstorm.config.overrides import plain

_MISSING = re.compile(r"'([^']+)' not found")


def explain(
    error: Exception,
    words: Sequence[str],
    where: Callable[[str], str],
    fits: Callable[[Sequence[str]], bool],
) -> str:
    """The sentence: the key and its file, or else the word without which the rest would fit.

    `fits` tries a composition of some of the words.
    """
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = str(getattr(cause, "full_key", None) or "")
    if key:
        file = where(key)
        return f"{key} in {file}: {_why(cause)}" if file else f"{key}: {_why(cause)}"
    for index, word in enumerate(words):
        if fits([*words[:index], *words[index + 1 :]]):
            return (
                f"{plain(word)} in the command line: it does not fit the configuration;"
                " compare it with conf/fleetconf/config.yaml, which has every key"
            )
    said = " ".join(map(plain, words)) or "the configuration"
    return f"{said}: these do not fit together; leave one out to see which"


def _why(cause: Exception) -> str:
    missing = _MISSING.search(str(cause))
    if missing:
        return f"it takes its value from ${{{missing[1]}}}, and there is no such key"
    return "its value cannot be put here; compare it with conf/fleetconf/config.yaml"
