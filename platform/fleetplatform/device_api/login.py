"""From a token to the device it belongs to."""

import hashlib
import time

from fleetplatform.device_api.refusal import inactive, unauthorized
from fleetplatform.registry.directory import Directory
from fleetplatform.registry.freshness import Freshness

UNKNOWN_FOR_S = 2.0
"""A token found unknown is not looked for again this long."""
UNKNOWN_MAX = 10_000
"""So many unknown tokens are remembered."""

_SCHEME = b"bearer "


class Login:
    """Knows devices by the SHA-256 of their token; the token itself is nowhere kept."""

    def __init__(self, directory: Directory, freshness: Freshness) -> None:
        self._directory = directory
        self._freshness = freshness
        self._unknown: dict[bytes, float] = {}

    async def device_of(self, authorization: bytes | None) -> int:
        """The directory index of the device whose token came; raises Refusal (401, 403).

        A token that is not known may belong to a device enrolled a moment ago, so the directory
        is brought up to date once before it is refused.
        """
        if authorization is None or authorization[:7].lower() != _SCHEME:
            raise unauthorized("send the header Authorization: Bearer <token>")
        digest = hashlib.sha256(authorization[7:].strip()).digest()
        device = self._directory.find_token(digest)
        if device < 0:
            device = await self._look_again(digest)
        if not self._directory.device_active[device]:
            raise inactive()
        return device

    async def _look_again(self, digest: bytes) -> int:
        now_s = time.monotonic()
        if self._unknown.get(digest, 0.0) > now_s:
            raise unauthorized("the token is not known")
        await self._freshness.catch_up()
        device = self._directory.find_token(digest)
        if device < 0:
            if len(self._unknown) >= UNKNOWN_MAX:
                self._unknown.clear()
            self._unknown[digest] = time.monotonic() + UNKNOWN_FOR_S
            raise unauthorized("the token is not known")
        return device
