"""Quantities as people write them: "10s", "20k/s", "5%", "64MiB".

A field of a settings struct says its unit by its type; `convert` reads the unit from the type and
refuses a bare number where a unit is due.
"""

from typing import Annotated

from msgspec import Meta

Duration = Annotated[float, Meta(extra={"unit": "duration"})]
"""Seconds. Written with us, ms, s, m, h or d, parts may be joined: "1h30m"."""
Rate = Annotated[float, Meta(extra={"unit": "rate"})]
"""Per second. Written "20k/s", "300/m", "5/h"."""
Share = Annotated[float, Meta(extra={"unit": "share"}, ge=0, le=1)]
"""A part of one. Written "5%"."""
Size = Annotated[int, Meta(extra={"unit": "size"}, ge=0)]
"""Bytes. Written "64MiB", "10MB", "512B"."""
Count = Annotated[int, Meta(extra={"unit": "count"}, ge=0)]
"""A number of things; "20k" and "1M" are understood, and so is a bare number."""
Instant = Annotated[int, Meta(extra={"unit": "instant"})]
"""Microseconds since 1970 in UTC. Written in RFC 3339 with a zone, or "now"."""
