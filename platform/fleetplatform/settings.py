"""Typed settings of the platform and of one process of it; the defaults stand in `fleetconf`."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from fleetconf.units import Count, Duration, Rate, Size


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
    quota_burst: Annotated[Duration, msgspec.Meta(gt=0)]
    body_size: Size
    expanded_size: Size
    body_readings: Count
    metadata_size: Size
    oldest: Duration
    newest: Duration
    detector: str
    checkpoint_interval: Duration
    commit_timeout: Duration
    load_timeout: Duration
    shutdown_timeout: Duration


class QualitySettings(Settings, frozen=True, kw_only=True):
    """What is no property of a sensor, in judging its readings."""

    gap_intervals: Annotated[int, msgspec.Meta(ge=1, le=1000, extra={"unit": "count"})]
    stale_after: Annotated[Duration, msgspec.Meta(ge=0, le=31_622_400)]
    clock_skew: Annotated[Duration, msgspec.Meta(ge=0, le=31_622_400)]


class RegistrySettings(Settings, frozen=True, kw_only=True):
    """What is told of devices, and how they are taken in."""

    offline_after: Duration
    credential_overlap: Duration
    idempotency_kept: Duration
    import_lines: Count


class WorkerSettings(Settings, frozen=True, kw_only=True):
    """How often the worker's jobs run, and in which pieces."""

    partition_interval: Duration
    rollup_interval: Duration
    reprocess_interval: Duration
    reprocess_rows: Count
    reprocess_settle: Duration
    idempotency_interval: Duration
    rotation_interval: Duration
    rotation_rows: Count
    retention_interval: Duration


class LiveSettings(Settings, frozen=True, kw_only=True):
    """How readings are followed as they come in; `late` is virtual time, the rest wall clock."""

    streams: Count
    interval: Duration
    readings: Count
    behind: Duration
    late: Duration
    stalled: Duration
    renewed: Duration


class EncryptionSettings(Settings, frozen=True, kw_only=True):
    """Where the keys of sensitive sensors stand, and which of them new readings get."""

    keys: str | None
    active: str | None


class ArchiveSettings(Settings, frozen=True, kw_only=True):
    """Where readings go that retention policies archive, and how fast."""

    folder: str | None
    file_rows: Count
    rows_per_s: Annotated[Rate, msgspec.Meta(gt=0)]
    policies: Count


class EngineSettings(Settings, frozen=True, kw_only=True):
    """Which engine turns a batch into rows."""

    kind: str


class LayoutSettings(Settings, frozen=True, kw_only=True):
    """How sensor_data is stored."""

    kind: str
    indexes: Literal["minimal", "standard", "full"] | tuple[str, ...]
    ahead: Count


class RollupSettings(Settings, frozen=True, kw_only=True):
    """In which way closed hours are kept."""

    kind: str


class TlsSettings(Settings, frozen=True, kw_only=True):
    """HTTPS instead of HTTP; paths of PEM files.

    client_ca: whose certificates clients may show · client_crls: what was revoked; where any is
    given, a list of each authority in a client's chain is needed.
    """

    certificate: str
    key: str
    client_ca: str | None
    client_crls: tuple[str, ...]
    require_client_certificate: bool


class PlatformSettings(Settings, frozen=True, kw_only=True):
    """The key `platform` of a run."""

    url: str | None
    token: str | None
    host: str
    port: Count
    keep: bool
    tls: TlsSettings | None
    database: DatabaseSettings
    clock: ClockSettings
    ingest: IngestSettings
    quality: QualitySettings
    registry: RegistrySettings
    worker: WorkerSettings
    archive: ArchiveSettings
    live: LiveSettings
    encryption: EncryptionSettings
    engine: EngineSettings
    layout: LayoutSettings
    rollups: RollupSettings


class EncryptionKeys(Settings, frozen=True, kw_only=True):
    """Keys by their ids, 32 bytes each; new readings of sensitive sensors get the active one."""

    active: str
    keys: dict[str, bytes]

    def __repr__(self) -> str:
        """Ids alone, for a key has no place in a log."""
        return f"EncryptionKeys(active={self.active!r}, ids={self.ids!r})"

    @property
    def ids(self) -> list[str]:
        """The ids, in the order of `secrets`."""
        return list(self.keys)

    @property
    def secrets(self) -> list[bytes]:
        """The keys, in the order of `ids`."""
        return list(self.keys.values())

    @property
    def active_key(self) -> bytes:
        """The key that new readings get."""
        return self.keys[self.active]


class ProcessSettings(Settings, frozen=True, kw_only=True):
    """What one process of the platform is started with; the file is secret.

    `database_urls` maps a database role (iot_ingest, iot_worker, iot_api) to the URL it logs in
    with; `operator_token_sha256` is the hex digest of the operator's token; without `encryption`
    readings of sensitive sensors are rejected.
    """

    platform: PlatformSettings
    host: str
    port: int
    database_urls: dict[str, str]
    operator_token_sha256: str
    encryption: EncryptionKeys | None


def encode_process_settings(settings: ProcessSettings) -> bytes:
    """The settings as the file a process reads at its start."""
    return msgspec.json.encode(settings)


def load_process_settings(path: Path) -> ProcessSettings:
    """The settings of this process; raises msgspec.ValidationError for a file of another shape."""
    return msgspec.json.decode(path.read_bytes(), type=ProcessSettings)
