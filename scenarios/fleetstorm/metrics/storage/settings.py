"""The key `measure` of a run; each of its parts is null where it is not measured."""

from typing import Annotated

import msgspec
from msgspec import Meta

from fleetconf.units import Count, Duration


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of the load whose readings a second are taken: from `after` to its end."""

    after: Duration


class RollSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When, in the load, partitions are made and dropped."""

    at: Duration


class QuerySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often each standard query is asked, after so many times that do not count."""

    calls: Annotated[Count, Meta(ge=1)]
    warm: Count


class MeasureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run measures of its storage beside what every run measures."""

    ingest: IngestSettings | None
    partition_roll: RollSettings | None
    queries: QuerySettings | None

    @property
    def anything(self) -> bool:
        """Whether anything of it is measured."""
        return any((self.ingest, self.partition_roll, self.queries))
