"""What summaries are made of: frozen parts, whose numbers carry unit, better way and a sentence."""

from typing import Literal

import msgspec
from msgspec import Meta

Better = Literal["lower", "higher"]


def measure(unit: str, better: Better | None, description: str) -> Meta:
    """What a field measures; `better` is None where neither more nor less is better."""
    return Meta(description=description, extra={"metric": {"unit": unit, "better": better}})


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the summary's parts: frozen, by keyword; what is left out is null."""
