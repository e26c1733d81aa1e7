"""One request a device and report: JSON, with the device's own token."""

import math
from typing import ClassVar

import msgspec
import numpy as np

from fleetconf.units import Count, Duration
from fleetplatform.wire.readings import JSON_MEDIA_TYPE
from fleetsim.settings import Settings as BaseSettings
from fleetsim.transport.http import HttpClient, head, request
from fleetsim.transport.kinds import Identities
from fleetsim.transport.outcome import Outcome, judge
from fleetsim.transport.report import Piece, Report
from fleetsim.transport.retry import RetrySettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    """Keys of transport/http_json.yaml."""

    gateways: ClassVar[bool] = False
    enrols: ClassVar[bool] = True

    report_interval: Duration
    connections: Count
    buffer: Count
    retry: RetrySettings
    timeout: Duration

    @property
    def buffer_readings(self) -> int:
        """Readings a device holds while the backend does not answer."""
        return self.buffer

    @property
    def body_readings(self) -> int:
        """A device sends all it holds at once."""
        return self.buffer

    def build(self, url: str, identities: Identities) -> "HttpJson":
        """The transport to the platform at a URL."""
        return HttpJson(self, url, identities)


class HttpJson:
    """Devices that speak for themselves, over a pool of connections they share."""

    def __init__(self, settings: Settings, url: str, identities: Identities) -> None:
        lanes = max(1, min(settings.connections, len(identities.tokens)))
        self._client = HttpClient(url, lanes=lanes, timeout_s=settings.timeout)
        self._heads = [
            head(self._client, "/v1/readings", token, JSON_MEDIA_TYPE)
            for token in identities.tokens
        ]
        openings = {name: _opening(name) for name in set(identities.sensor_names)}
        self._openings = [openings[name] for name in identities.sensor_names]
        self.lanes = lanes
        self.ready = self._client.ready

    async def send(self, lane: int, sender: int, pieces: list[Piece]) -> Outcome:
        """Send readings of one device, oldest first, and wait for the outcome."""
        texts: list[str] = []
        for report, start, stop in pieces:
            texts += (report.texts or self._write(report))[start:stop]
        body = f'{{"readings":[{",".join(texts)}]}}'.encode()
        return judge(await self._client.exchange(lane, request(self._heads[sender], body)))

    def _write(self, report: Report) -> list[str]:
        """Every reading of the report as JSON text; done once, all its devices cut theirs out."""
        openings = self._openings
        values: list[float | str] = report.raw.tolist()
        if not np.isfinite(report.raw).all():
            values = ["null" if not math.isfinite(float(v)) else v for v in values]
        report.texts = [
            f'{openings[sensor]}{t},"v":{v}}}'
            for sensor, t, v in zip(
                report.sensor.tolist(), report.t_us.tolist(), values, strict=True
            )
        ]
        return report.texts

    def close(self) -> None:
        """Drop all connections."""
        self._client.close()


def _opening(name: str) -> str:
    return f'{{"sensor":{msgspec.json.encode(name).decode()},"t":'
