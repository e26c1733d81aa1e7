"""summary.json as types: what a run did, what it measured, and the verdict.

What a run did not exercise is null, never 0. Every number carries its unit, which way is better
and a sentence in its type; `registry` reads them from there, and the JSON Schema too.
"""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from fleetstorm.results.part import Part, measure
from fleetstorm.results.proof import Verification
from fleetstorm.results.storage import Storage

SCHEMA: Final = "fleetstorm.summary/1"

Verdict = Literal["pass", "fail", "void", "error", "interrupted"]


class RunSummary(Part, frozen=True, kw_only=True):
    """Which run this was."""

    id: str
    scenario: str
    seed: int
    started_at: str
    version: str
    config_sha256: str
    speed: float | Literal["max"]
    digest: Annotated[
        str | None, Meta(description="Of everything the sensors measured; order-independent.")
    ] = None
    wall_s: Annotated[float | None, measure("s", "lower", "The whole run, wall clock.")] = None
    virtual_s: Annotated[float | None, measure("s", None, "The load, virtual time.")] = None
    git: str | None = None


class Machine(Part, frozen=True, kw_only=True):
    """What it ran on, and how durable the database was."""

    cpu: str
    cores: int
    memory_bytes: int
    os: str
    python: str
    postgres: str | None = None
    fsync: bool | None = None
    full_page_writes: bool | None = None
    synchronous_commit: str | None = None


class Load(Part, frozen=True, kw_only=True):
    """What was sent and what became of it, in readings; the ledger's equation."""

    devices: int | None = None
    sensors: int | None = None
    shards: int | None = None
    transport: str | None = None
    engine: str | None = None
    layout: str | None = None
    indexes: tuple[str, ...] | None = None
    emitted: Annotated[int | None, measure("readings", None, "Measured by the sensors.")] = None
    withheld: Annotated[
        int | None, measure("readings", None, "Never sent, because a fault held them back.")
    ] = None
    dropped: Annotated[
        int | None, measure("readings", "lower", "Thrown away by a full device buffer.")
    ] = None
    rejected: Annotated[
        int | None, measure("readings", "lower", "Refused by name by the platform.")
    ] = None
    acknowledged: Annotated[
        int | None, measure("readings", "higher", "Acknowledged by the platform after commit.")
    ] = None
    indeterminate: Annotated[
        int | None, measure("readings", "lower", "Sent and never answered: 0 or 1 rows are right.")
    ] = None
    buffered: Annotated[
        int | None, measure("readings", "lower", "Still in device buffers at the end.")
    ] = None
    stored: Annotated[int | None, measure("readings", "higher", "Rows in the table.")] = None
    archived: Annotated[
        int | None, measure("readings", None, "In files of the archive, and in no table.")
    ] = None
    expired: Annotated[int | None, measure("readings", None, "Deleted by retention.")] = None
    duplicates: Annotated[
        int | None, measure("readings", None, "Sent again and recognised by the platform.")
    ] = None
    requests: Annotated[int | None, measure("requests", None, "Sent to the platform.")] = None
    offered_per_s: Annotated[
        float | None, measure("readings/s", None, "Emitted a second of the load, wall clock.")
    ] = None
    stored_per_s: Annotated[
        float | None, measure("readings/s", "higher", "Acknowledged in the load, a second.")
    ] = None
    withheld_by_cause: Annotated[
        dict[str, int] | None, measure("readings", None, "Held back, by the kind of fault.")
    ] = None
    dropped_by_cause: Annotated[
        dict[str, int] | None, measure("readings", "lower", "Thrown away, by the reason.")
    ] = None
    rejected_by_code: Annotated[
        dict[str, int] | None, measure("readings", "lower", "Refused, by the platform's code.")
    ] = None


class Percentiles(Part, frozen=True, kw_only=True):
    """A distribution of times, in milliseconds."""

    p50: Annotated[float, measure("ms", "lower", "Half are below.")]
    p90: Annotated[float, measure("ms", "lower", "Nine of ten are below.")]
    p99: Annotated[float, measure("ms", "lower", "All but one in a hundred are below.")]
    p999: Annotated[float, measure("ms", "lower", "All but one in a thousand are below.")]
    max: Annotated[float, measure("ms", "lower", "The longest.")]


class Latency(Part, frozen=True, kw_only=True):
    """How long things took, in milliseconds of the wall clock."""

    response: Annotated[
        Percentiles | None, Meta(description="Intended send → acknowledgement; null at speed max.")
    ] = None
    service: Annotated[Percentiles | None, Meta(description="Actual send → acknowledgement.")] = (
        None
    )
    age: Annotated[Percentiles | None, Meta(description="Measurement → acknowledgement.")] = None
    alert: Annotated[
        Percentiles | None, Meta(description="Measurement → its alert is in the database.")
    ] = None
    notification: Percentiles | None = None
    command: Percentiles | None = None


class Partitions(Part, frozen=True, kw_only=True):
    """What actions of the timeline saw of the partitions while the load was on."""

    begun: Annotated[
        int | None, measure("partitions", None, "Whose span began while they were watched.")
    ] = None
    late: Annotated[
        int | None,
        measure("partitions", "lower", "Of those that took readings, not there at their start."),
    ] = None
    strayed_max: Annotated[
        int | None, measure("readings", "lower", "In default partitions at once, at most.")
    ] = None


class OrganizationFigures(Part, frozen=True, kw_only=True):
    """One organization of several; the rates over the time of the load, by the wall clock."""

    organization: str
    noisy: Annotated[bool, Meta(description="Whether it ever offered more than twice its quota.")]
    quota_per_s: Annotated[float | None, Meta(description="Readings a second; null: no quota.")]
    offered_per_s: float
    stored_per_s: Annotated[float, Meta(description="Acknowledged in the load.")]
    refused: Annotated[int, Meta(description="Requests told to come again.")]
    dropped: Annotated[int, Meta(description="Readings thrown away by full device buffers.")]
    response_p99_ms: float | None = None
    response_p99_quiet_ms: Annotated[
        float | None, Meta(description="Median of its p99 over the quiet 5-second windows.")
    ] = None
    response_p99_noisy_ms: Annotated[
        float | None, Meta(description="Median of its p99 over the noisy 5-second windows.")
    ] = None


class Tenants(Part, frozen=True, kw_only=True):
    """Several organizations beside each other, in windows of 5 seconds.

    A window is noisy if any organization offers more than twice its quota of readings in it; the
    others are those that never do.
    """

    windows_quiet: Annotated[int, measure("windows", None, "In which nobody was noisy.")]
    windows_noisy: Annotated[int, measure("windows", None, "In which somebody was noisy.")]
    quiet_p99_ms: Annotated[
        float | None,
        measure("ms", "lower", "Response p99 of the others in noisy windows, the median."),
    ] = None
    quiet_p99_base_ms: Annotated[
        float | None, measure("ms", "lower", "The same in quiet windows.")
    ] = None
    quiet_p99_rise: Annotated[
        float | None, measure("times", "lower", "The first of these by the second.")
    ] = None
    noisy_over_quota: Annotated[
        float | None,
        measure("times", "lower", "Stored by a noisy one, by its quota, while it was noisy."),
    ] = None
    noisy_offered_over_quota: Annotated[
        float | None, measure("times", None, "Offered by a noisy one, by its quota.")
    ] = None
    organizations: tuple[OrganizationFigures, ...] = ()


class Resources(Part, frozen=True, kw_only=True):
    """What it cost. Parts are postgres, service, shards and driver."""

    cpu_s: Annotated[
        dict[str, float] | None, measure("s", "lower", "CPU time of a part during the load.")
    ] = None
    rss_bytes_max: Annotated[
        dict[str, int] | None, measure("bytes", "lower", "Most memory a part held.")
    ] = None
    wal_bytes: Annotated[int | None, measure("bytes", "lower", "Written ahead.")] = None
    wal_bytes_per_reading: Annotated[
        float | None, measure("bytes", "lower", "Written ahead by stored reading.")
    ] = None
    table_bytes: Annotated[int | None, measure("bytes", "lower", "Of sensor_data's heap.")] = None
    index_bytes: Annotated[int | None, measure("bytes", "lower", "Of its indexes.")] = None
    bytes_per_reading: Annotated[
        float | None, measure("bytes", "lower", "Heap and indexes by stored reading.")
    ] = None
    bytes_per_reading_by_part: Annotated[
        dict[str, float] | None,
        measure("bytes", "lower", "The same: the heap and each index."),
    ] = None
    cpu_us_per_reading: Annotated[
        float | None,
        measure("us", "lower", "CPU time of database and service by stored reading."),
    ] = None
    waits: Annotated[
        dict[str, int] | None,
        Meta(description="Samples of what the database's sessions waited for."),
    ] = None


class Generator(Part, frozen=True, kw_only=True):
    """Whether the simulator itself was the limit."""

    schedule_lag_ms_p99: Annotated[
        float | None, measure("ms", "lower", "How late readings were handed to the wire.")
    ] = None
    cpu_share: Annotated[
        float | None, measure("share", "lower", "CPU of shards and driver, of all that was used.")
    ] = None
    null_sink_per_s: Annotated[
        float | None,
        measure("readings/s", "higher", "Offered where nothing is stored."),
    ] = None


class BarResult(Part, frozen=True, kw_only=True):
    """One bar of the scenario: its limit as written ("max 500ms"), and what was measured."""

    name: str
    limit: str
    measured: float | bool | str | None
    ok: bool


class Summary(Part, frozen=True, kw_only=True):
    """A run's summary.json; `bars`, `verdict` and `reason` are `verdict.judge`'s."""

    schema: Literal["fleetstorm.summary/1"] = SCHEMA
    run: RunSummary
    machine: Machine
    load: Load = Load()
    latency_ms: Latency = Latency()
    verification: Verification = Verification()
    tenants: Tenants | None = None
    partitions: Partitions | None = None
    resources: Resources = Resources()
    storage: Storage = Storage()
    generator: Generator = Generator()
    bars: tuple[BarResult, ...] = ()
    verdict: Verdict = "error"
    reason: Annotated[str, Meta(description="The verdict's reason in a sentence.")] = ""


def encode(summary: Summary) -> bytes:
    """A summary as the bytes of summary.json, every key present."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"


def decode(data: bytes) -> Summary:
    """A summary.json as a struct; raises msgspec.ValidationError for another shape."""
    return msgspec.json.decode(data, type=Summary)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of summary.json; summary.schema.json holds the same."""
    schema = msgspec.json.schema(Summary)
    for definition in schema["$defs"].values():
        # Every key is written, so a reader may rely on it.
        definition["required"] = list(definition["properties"])
        for shape in definition["properties"].values():
            shape.pop("default", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA, **schema}


def encode_json_schema() -> bytes:
    """The JSON Schema as the bytes of summary.schema.json."""
    return msgspec.json.format(msgspec.json.encode(json_schema()), indent=2) + b"\n"


def schema_path() -> Path:
    """Where the shipped JSON Schema stands."""
    return Path(__file__).with_name("summary.schema.json")
