"""The role api: people and their programs manage the platform."""

from fleetplatform.api.access import Context
from fleetplatform.api.app import make_app
from fleetplatform.roles.part import App, Shared

ROLE = "api"


class ApiRole:
    """The management API; stateless, so it is ready as soon as it is there."""

    def __init__(self, shared: Shared) -> None:
        context = Context(
            pool=shared.pools[ROLE],
            clock=shared.clock,
            operator_sha256=bytes.fromhex(shared.settings.operator_token_sha256),
            settle=shared.settled,
            offline_after_us=round(shared.settings.platform.registry.offline_after * 1e6),
            idempotency_kept_s=shared.settings.platform.registry.idempotency_kept,
        )
        app = make_app(context, shared.settings.platform.ingest.expanded_size)
        self.routes: dict[str, App] = {"": app}

    async def start(self) -> None:
        """Nothing has to be loaded."""

    def is_ready(self) -> bool:
        """Always."""
        return True

    async def drain(self) -> None:
        """Requests of people end by themselves."""

    async def close(self) -> None:
        """Nothing runs beside the requests."""
