"""The role api: people and their programs manage the platform."""

from fleetplatform.api.access import Context
from fleetplatform.api.app import make_app
from fleetplatform.api.live import Streams
from fleetplatform.roles.part import App, Shared

ROLE = "api"
MARGIN_S = 5.0
"""A batch that is given up may be committing for so long after that."""


class ApiRole:
    """The management API; stateless, so it is ready as soon as it is there."""

    def __init__(self, shared: Shared) -> None:
        registry = shared.settings.platform.registry
        settings = shared.settings.platform
        settled_s = settings.ingest.commit_timeout + MARGIN_S
        self._streams = Streams(settings.live, shared.clock, settled_s)
        context = Context(
            pool=shared.pools[ROLE],
            clock=shared.clock,
            operator_sha256=bytes.fromhex(shared.settings.operator_token_sha256),
            settle=shared.settled,
            encryption=shared.settings.encryption,
            offline_after_us=round(registry.offline_after * 1e6),
            credential_overlap_s=registry.credential_overlap,
            import_lines_max=registry.import_lines,
            idempotency_kept_s=registry.idempotency_kept,
            archive=shared.settings.platform.archive,
            streams=self._streams,
        )
        app = make_app(context, shared.settings.platform.ingest.expanded_size)
        self.routes: dict[str, App] = {"": app}

    async def start(self) -> None:
        """Nothing has to be loaded."""

    def is_ready(self) -> bool:
        """Always."""
        return True

    async def drain(self) -> None:
        """End whoever follows readings; other requests of people end by themselves."""
        self._streams.close()

    async def close(self) -> None:
        """Nothing runs beside the requests."""
