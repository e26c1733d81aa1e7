"""Query parameters that several routes take."""

from typing import Annotated, TypeAlias

from litestar.params import Parameter

from fleetplatform.analytics import series

TEXT_MAX = 300
LATEST_US = 221_845_392_000_000_000
"""Year 9000: later times cannot be written by everything that has to write them."""

Text: TypeAlias = Annotated[str | None, Parameter(max_length=TEXT_MAX)]
"""Something that is looked for as it is written; none: any."""

Instant: TypeAlias = Annotated[
    int | None, Parameter(ge=0, le=LATEST_US, description="µs since 1970 (virtual time)")
]
"""A bound of a time; none: no bound."""

Since: TypeAlias = Annotated[
    int, Parameter(ge=0, le=series.LATEST_US, description="µs since 1970")
]
"""Where a span of readings begins."""

Until: TypeAlias = Annotated[
    int, Parameter(ge=0, le=series.LATEST_US, description="µs since 1970; not in it")
]
"""Where a span of readings ends."""
