"""Readings are made, encoded and thrown away: what the generator alone can do."""

from typing import ClassVar

from fleetconf.units import Duration
from fleetplatform.wire.resources.receipts import Receipt
from fleetsim.settings import Settings as BaseSettings
from fleetsim.transport.kinds import Identities
from fleetsim.transport.kinds.http_arrow import encode
from fleetsim.transport.outcome import Outcome, Taken
from fleetsim.transport.report import Piece, count
from fleetsim.transport.retry import RetrySettings

_BODY_READINGS = 20_000


class Settings(BaseSettings, frozen=True, kw_only=True):
    """Keys of transport/null_sink.yaml."""

    gateways: ClassVar[bool] = True
    enrols: ClassVar[bool] = False
    buffer_readings: ClassVar[int] = 1_000_000
    body_readings: ClassVar[int] = _BODY_READINGS
    retry: ClassVar[RetrySettings] = RetrySettings(initial=0.1, max=1.0, jitter=0.0)

    report_interval: Duration
    encode: bool

    def build(self, url: str, identities: Identities) -> "NullSink":
        """A sink; the URL is not used."""
        return NullSink(self, identities)


class NullSink:
    """Takes everything at once and keeps nothing."""

    lanes = 1

    def __init__(self, settings: Settings, identities: Identities) -> None:
        self._encodes = settings.encode
        self._identities = identities

    async def ready(self, lane: int) -> None:
        """A sink always is."""

    async def send(self, lane: int, sender: int, pieces: list[Piece]) -> Outcome:
        """Encode the readings as a gateway would and throw them away."""
        if self._encodes:
            encode(self._identities, pieces)
        return Taken(Receipt(accepted=count(pieces), duplicates=0, rejected_total=0))

    def close(self) -> None:
        """Nothing is open."""
