"""The parameters with which any list is asked for."""

from typing import Annotated, Any

from litestar import Request
from litestar.di import Provide
from litestar.params import Parameter

from fleetplatform.wire.paging import LIMIT, LIMIT_MAX, Page, parse_page


def page_of(*sorts: str, both_ways: bool = True) -> Provide:
    """The dependency `page` of a list that can be sorted by these keys, by the first if not said.

    It adds the parameters cursor, limit and sort to the route. both_ways: whether the list heeds
    `descending`; where it does not, that is refused and not passed over.
    """

    def provide(
        request: Request[Any, Any, Any],
        cursor: Annotated[
            str | None, Parameter(description="next_cursor of the page before; none: the start")
        ] = None,
        limit: Annotated[int, Parameter(ge=1, le=LIMIT_MAX, description="items at most")] = LIMIT,
        sort: Annotated[
            str, Parameter(description=_told(sorts, both_ways))
        ] = sorts[0],
    ) -> Page:
        return parse_page(cursor, limit, sort, sorts, both_ways=both_ways, path=request.url.path)

    return Provide(provide, sync_to_thread=False)


def _told(sorts: tuple[str, ...], both_ways: bool) -> str:
    offered = ", ".join(sorts)
    one_way = sorts[0].startswith("-") or not both_ways
    return offered if one_way else f"{offered}; with - before it: descending"
