"""What the platform says of itself: the numbers of GET /metrics."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

_PREFIX = "fleetstorm_"
_BODY_BYTES_MAX = 4 * 2**20

Number = tuple[str, dict[str, str], float]


async def scrape(url: str, timeout_s: float) -> list[Number]:
    """The platform's own numbers, (name, labels, value) each.

    Raises OSError or TimeoutError if it does not answer, ValueError if it answers otherwise.
    """
    body = await asyncio.wait_for(_get(url, "/metrics"), timeout_s)
    return list(_numbers(body.decode()))


def _numbers(text: str) -> Iterator[Number]:
    """Counters and gauges, and of histograms the count and the sum."""
    for family in text_string_to_metric_families(text):
        if not family.name.startswith(_PREFIX):
            continue
        for sample in family.samples:
            if not sample.name.endswith(("_bucket", "_created")):
                yield sample.name, dict(sample.labels), float(sample.value)


async def _get(url: str, path: str) -> bytes:
    """The body of one small request; HTTP/1.0, so that it is neither chunked nor kept alive."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(
        parts.hostname, port, ssl=secure or None, limit=_BODY_BYTES_MAX
    )
    try:
        request = f"GET {parts.path.rstrip('/')}{path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n"
        writer.write(request.encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise ValueError(f"{url}{path} answered {head[:80]!r}")
    return body
