"""Typed settings of the platform and of one process of it; the defaults stand in `fleetconf`."""

from pathlib import Path
from typing import Literal

import msgspec

from fleetconf.units import Count, Duration, Size


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings: frozen, by keyword, without defaults."""


class DatabaseSettings(Settings, frozen=True, kw_only=True):
    """Where PostgreSQL is and how a process uses it."""

    url: str | None
    connections: Count
    statement_timeout: Duration


class ClockSettings(Settings, frozen=True, kw_only=True):
    """Whether the platform's clock may be set; fixed when a database is created."""

    controllable: bool


class IngestSettings(Settings, frozen=True, kw_only=True):
    """Limits of the way from a request to a commit."""

    max_rows: Count
    max_wait: Duration
    queue_rows: Count
    queue_requests: Count
    retry_after: Duration
    body_size: Size
    expanded_size: Size
    body_readings: Count
    metadata_size: Size
    oldest: Duration
    newest: Duration
    checkpoint_interval: Duration
    commit_timeout: Duration
    load_timeout: Duration
    shutdown_timeout: Duration


class RegistrySettings(Settings, frozen=True, kw_only=True):
    """What is told of devices."""

    offline_after: Duration


class WorkerSettings(Settings, frozen=True, kw_only=True):
    """How often the worker's jobs run."""

    partition_interval: Duration
    rollup_interval: Duration


class EngineSettings(Settings, frozen=True, kw_only=True):
    """Which engine turns a batch into rows."""

    kind: str


class LayoutSettings(Settings, frozen=True, kw_only=True):
    """How sensor_data is stored."""

    kind: str
    indexes: Literal["minimal", "standard", "full"] | tuple[str, ...]
    ahead: Count


class PlatformSettings(Settings, frozen=True, kw_only=True):
    """The key `platform` of a run."""

    url: str | None
    token: str | None
    host: str
    port: Count
    keep: bool
    database: DatabaseSettings
    clock: ClockSettings
    ingest: IngestSettings
    registry: RegistrySettings
    worker: WorkerSettings
    engine: EngineSettings
    layout: LayoutSettings


class ProcessSettings(Settings, frozen=True, kw_only=True):
    """What one process of the platform is started with; the file is secret.

    `database_urls` maps a database role (iot_ingest, iot_worker, iot_api) to the URL it logs in
    with; `operator_token_sha256` is the hex digest of the operator's token.
    """

    platform: PlatformSettings
    host: str
    port: int
    database_urls: dict[str, str]
    operator_token_sha256: str


def encode_process_settings(settings: ProcessSettings) -> bytes:
    """The settings as the file a process reads at its start."""
    return msgspec.json.encode(settings)


def load_process_settings(path: Path) -> ProcessSettings:
    """The settings of this process; raises msgspec.ValidationError for a file of another shape."""
    return msgspec.json.decode(path.read_bytes(), type=ProcessSettings)
