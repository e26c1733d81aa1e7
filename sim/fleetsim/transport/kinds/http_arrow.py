"""Gateways send the readings of the devices behind them as Arrow batches."""

import zlib
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np

from fleetconf.units import Count, Duration
from fleetplatform.wire.readings import ARROW_MEDIA_TYPE, encode_arrow
from fleetsim.settings import Settings as BaseSettings
from fleetsim.transport.http import HttpClient, head, request
from fleetsim.transport.kinds import Identities
from fleetsim.transport.outcome import Outcome, judge
from fleetsim.transport.report import Piece
from fleetsim.transport.retry import RetrySettings

_GZIP_WINDOW = zlib.MAX_WBITS | 16
_FASTEST = 1


class Settings(BaseSettings, frozen=True, kw_only=True):
    """Keys of transport/http_arrow.yaml."""

    gateways: ClassVar[bool] = True
    enrols: ClassVar[bool] = True

    report_interval: Duration
    connections: Count
    buffer: Count
    body_readings: Count
    retry: RetrySettings
    timeout: Duration
    compression: Literal["none", "gzip", "zstd"]

    @property
    def buffer_readings(self) -> int:
        """Readings a gateway holds while the backend does not answer."""
        return self.buffer

    def build(self, url: str, identities: Identities) -> "HttpArrow":
        """The transport to the platform at a URL."""
        return HttpArrow(self, url, identities)


class HttpArrow:
    """Gateways, at most one connection each."""

    def __init__(self, settings: Settings, url: str, identities: Identities) -> None:
        lanes = max(1, min(settings.connections, len(identities.tokens)))
        self._client = HttpClient(url, lanes=lanes, timeout_s=settings.timeout)
        self._compress, extra = _compression(settings.compression)
        self._heads = [
            head(self._client, "/v1/readings", token, ARROW_MEDIA_TYPE, extra)
            for token in identities.tokens
        ]
        self._identities = identities
        self.lanes = lanes
        self.ready = self._client.ready

    async def send(self, lane: int, sender: int, pieces: list[Piece]) -> Outcome:
        """Send readings of one gateway, oldest first, and wait for the outcome."""
        body = self._compress(encode(self._identities, pieces))
        return judge(await self._client.exchange(lane, request(self._heads[sender], body)))

    def close(self) -> None:
        """Drop all connections."""
        self._client.close()


def encode(identities: Identities, pieces: list[Piece]) -> bytes:
    """The pieces' readings as one Arrow stream."""
    sensor = np.concatenate([p.report.sensor[p.start : p.stop] for p in pieces])
    t_us = np.concatenate([p.report.t_us[p.start : p.stop] for p in pieces])
    raw = np.concatenate([p.report.raw[p.start : p.stop] for p in pieces])
    return encode_arrow(identities.sensor_high[sensor], identities.sensor_low[sensor], t_us, raw)


def _compression(kind: str) -> tuple[Callable[[bytes], bytes], str]:
    """The function that compresses a body, and the line of the head that says so."""
    if kind == "gzip":
        return _gzip, "Content-Encoding: gzip\r\n"
    if kind == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=_FASTEST).compress, "Content-Encoding: zstd\r\n"
    return bytes, ""


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(_FASTEST, zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(body) + compressor.flush()
