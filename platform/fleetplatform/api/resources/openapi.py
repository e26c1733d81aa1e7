"""The description of the API, for everybody."""

from functools import cache

import msgspec
from litestar import Response, get

from fleetplatform.api.document import describe

MEDIA_TYPE = "application/vnd.oai.openapi+json"


@get("/v1/openapi.json", include_in_schema=False, sync_to_thread=False)
def read_openapi() -> Response[bytes]:
    """The OpenAPI document of this platform."""
    return Response(_encoded(), media_type=MEDIA_TYPE)


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(describe())


handlers = [read_openapi]
