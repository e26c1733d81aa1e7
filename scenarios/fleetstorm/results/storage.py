"""What a way of storing readings costs: the part `storage` of a summary, from the key `measure`."""

from typing import Annotated

from msgspec import Meta

from fleetstorm.results.part import Part, measure


class Ingest(Part, frozen=True, kw_only=True):
    """Readings a second in the part of the load that `measure.ingest` names."""

    stored_per_s: Annotated[
        float | None, measure("readings/s", "higher", "Acknowledged a second, in that part.")
    ] = None
    offered_per_s: Annotated[
        float | None, measure("readings/s", None, "Emitted a second, in that part.")
    ] = None
    saturated: Annotated[
        bool | None,
        measure(
            "yes or no",
            None,
            "Whether more was offered than stored; if not, it could have stored more.",
        ),
    ] = None


class QueryTimes(Part, frozen=True, kw_only=True):
    """How long the calls of one query took, by the client's clock, in milliseconds."""

    p50: Annotated[float, measure("ms", "lower", "Half of the calls took less.")]
    p99: Annotated[float, measure("ms", "lower", "All but one in a hundred took less.")]


class Queries(Part, frozen=True, kw_only=True):
    """The standard queries, asked in turn after the load, each time about another sensor."""

    rows: Annotated[int, measure("rows", None, "In the table while the queries were asked.")]
    calls: Annotated[int, measure("calls", None, "Of each query, warm ones before not counted.")]
    latency_ms: Annotated[
        dict[str, QueryTimes] | None, Meta(description="By the name of the query.")
    ] = None


class PartitionRoll(Part, frozen=True, kw_only=True):
    """The next span's partitions made and the oldest span dropped, while the load was on."""

    make_ms: Annotated[
        float | None, measure("ms", "lower", "To make the partitions of a span to come.")
    ] = None
    drop_ms: Annotated[
        float | None, measure("ms", "lower", "To detach and drop those of the oldest span.")
    ] = None
    made: Annotated[
        int | None, measure("partitions", None, "Tables made that hold rows or may.")
    ] = None
    dropped_rows: Annotated[int | None, measure("rows", None, "In what was dropped.")] = None
    ingest_blocked_ms: Annotated[
        float | None,
        measure("ms", "lower", "Longest wait of a session of ingest for a lock meanwhile."),
    ] = None
    request_ms_max: Annotated[
        float | None, measure("ms", "lower", "Longest answer to a device meanwhile.")
    ] = None
    request_ms_max_before: Annotated[
        float | None, measure("ms", "lower", "Longest answer in the load before it.")
    ] = None


class Storage(Part, frozen=True, kw_only=True):
    """What storing costs and what is got for it; null for a run without the key `measure`."""

    ingest: Ingest | None = None
    queries: Queries | None = None
    partition_roll: PartitionRoll | None = None
