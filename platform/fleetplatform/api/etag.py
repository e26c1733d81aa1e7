"""Revisions of what is shown, as ETags: whoever changes a thing can say which state they saw.

A reply that is `Revised` goes out with its revision as ETag; a request with If-Match is done only
if the thing still has it, and refused as stale otherwise.
"""

from typing import Annotated, Any

from litestar import Response
from litestar.params import HeaderParameter

from fleetplatform.errors import InvalidError
from fleetplatform.wire.resources.body import Revised


async def provide_expected(
    if_match: Annotated[
        str | None,
        HeaderParameter(name="If-Match", description="ETag of the state that was read"),
    ] = None,
) -> int | None:
    """The revision that a thing must still have; None where the request does not say.

    Raises InvalidError (invalid_etag).
    """
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip()
    if len(text) < 3 or text[0] != '"' or text[-1] != '"' or not text[1:-1].isascii():
        raise InvalidError("If-Match: give the ETag of a reply", code="invalid_etag")
    if not text[1:-1].isdigit() or len(text) > 20:
        raise InvalidError("If-Match: give the ETag of a reply", code="invalid_etag")
    return int(text[1:-1])


def tag(response: Response[Any]) -> Response[Any]:
    """Give a reply that shows a thing which can be changed its ETag."""
    if isinstance(response.content, Revised):
        response.set_header("ETag", f'"{response.content.revision}"')
    return response
