"""The API described for programs: an OpenAPI 3.1 document, made from the routes themselves.

Litestar describes paths and parameters; msgspec, which decodes the bodies, describes bodies. Added
here is what holds for every route: refusals, roles, Idempotency-Key, and which answer gives the id
that another route takes (links).
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.openapi import OpenAPIConfig

from fleetconf import kinds
from fleetplatform.api.access import (
    operator_only,
    operator_or_member,
    provide_principal,
    provide_tenant,
    role_of,
)
from fleetplatform.api.device_side import PATHS, TYPES
from fleetplatform.api.etag import provide_expected
from fleetplatform.registry.idempotency import KEY_MAX
from fleetplatform.wire.problems import CODES, MEDIA_TYPE, Problem

VERSION = "1"
ROLE = "x-role"
"""Member of an operation: viewer, operator, admin (of an organization), platform, anybody."""

_MEMBERS = {"tenant", "principal", "asker"}
"""Dependencies of routes that ask who comes."""
_METHODS = ("get", "post", "put", "patch", "delete")
_SCHEMAS = "#/components/schemas/"
_REFUSALS = "#/components/responses/"

Document = dict[str, Any]


def find_handlers() -> list[HTTPRouteHandler | WebsocketRouteHandler]:
    """The routes of every resource."""
    resources = kinds.find("fleetplatform.api.resources")
    return [handler for module in resources.values() for handler in module.handlers]


@cache
def describe() -> Document:
    """The document; whoever has it must not change it."""
    handlers = [one for one in find_handlers() if isinstance(one, HTTPRouteHandler)]
    made = _by_litestar(handlers).openapi_schema.to_schema()
    made["components"] = {
        "schemas": _schemas(handlers),
        "responses": _refusals(),
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
    }
    by_name = {handler.handler_name: handler for handler in handlers}
    paths: Document = made["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            _complete(path, method, operation, by_name[operation["operationId"]], made)
    paths.update(PATHS)
    _link(made)
    made["paths"] = dict(sorted(paths.items()))
    return made


def _by_litestar(handlers: list[HTTPRouteHandler]) -> Litestar:
    """An application that is never started."""
    return Litestar(
        route_handlers=handlers,
        dependencies={
            "context": Provide(lambda: None, sync_to_thread=False),
            "principal": Provide(provide_principal),
            "tenant": Provide(provide_tenant),
            "expected": Provide(provide_expected),
        },
        openapi_config=OpenAPIConfig(
            title="Fleetstorm",
            version=VERSION,
            description="Devices, who owns them and who may see them; readings in, alerts out.",
            use_handler_docstrings=True,
            security=[{"bearer": []}],
            operation_id_creator=lambda handler, _method, _path: handler.handler_name,
        ),
        logging_config=None,
    )


def _schemas(handlers: list[HTTPRouteHandler]) -> Document:
    """What every body may be, as its decoder knows it."""
    types = {one for handler in handlers for one in _bodies(handler)} | {Problem, *TYPES}
    ordered = sorted(types, key=lambda one: one.__name__)
    _, found = msgspec.json.schema_components(ordered, ref_template=_SCHEMAS + "{name}")
    return dict(sorted(found.items()))


def _bodies(handler: HTTPRouteHandler) -> Iterator[type]:
    signature = handler.parsed_fn_signature
    annotations = [signature.return_type.annotation]
    if "data" in signature.parameters:
        annotations.append(signature.parameters["data"].annotation)
    for annotation in annotations:
        yield from _structs(annotation)


def _structs(annotation: Any) -> Iterator[type]:
    """The structs in an annotation, such as those of a union, a list or a Response."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for one in get_args(annotation):
        yield from _structs(one)


def _refusals() -> Document:
    """One response for each status, with the codes that it may carry."""
    found: dict[int, list[str]] = {}
    for code, (status, meaning) in sorted(CODES.items()):
        found.setdefault(status, []).append(f"`{code}`: {meaning}")
    schema = {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}Problem"}}}
    return {
        f"Refused{status}": {"description": " ".join(says), "content": schema}
        for status, says in sorted(found.items())
    }


def _complete(
    path: str, method: str, operation: Document, handler: HTTPRouteHandler, made: Document
) -> None:
    """Say of one operation what Litestar does not know."""
    for noise in ("deprecated", "summary"):
        operation.pop(noise, None)
    operation["tags"] = [path.split("/")[2]]
    operation[ROLE] = _role(handler, method)
    if operation[ROLE] == "anybody":
        operation["security"] = []
    parameters = operation.setdefault("parameters", [])
    for one in parameters:
        for noise in ("deprecated", "allowEmptyValue", "allowReserved"):
            one.pop(noise, None)
    if method == "post":
        parameters.append(_idempotency_key())
    statuses = {401, 403, 422, 429, 500, 503}
    statuses |= {404} if "{" in path or method != "get" else set()
    statuses |= {409, 413, 415} if method != "get" else set()
    if any(one["name"] == "If-Match" for one in parameters):
        statuses.add(412)
    responses = operation["responses"]
    responses.pop("400", None)
    if "answers" in handler.opt:
        binary = {"schema": {"type": "string", "format": "binary"}}
        responses["200"]["content"] = dict.fromkeys(handler.opt["answers"], binary)
    for kind in handler.opt.get("also_answers", ()):
        responses["200"]["content"][kind] = {"schema": {"type": "string"}}
    for status, response in responses.items():
        _tell(response, status, made["components"]["schemas"])
    known = made["components"]["responses"]
    for status in sorted(statuses):
        if f"Refused{status}" in known:
            responses[str(status)] = {"$ref": f"{_REFUSALS}Refused{status}"}


def _tell(response: Document, status: str, schemas: Document) -> None:
    """A response in our words, with its ETag where it shows something that can be changed."""
    words = {"200": "Done.", "201": "Made.", "204": "Done; there is nothing to show."}
    response["description"] = words.get(status, response["description"])
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    shown = schemas.get(schema.get("$ref", "").removeprefix(_SCHEMAS), {})
    if "revision" in shown.get("properties", {}):
        response["headers"] = {
            "ETag": {"description": "For If-Match of a change.", "schema": {"type": "string"}}
        }
    elif not response.get("headers"):
        response.pop("headers", None)


def _role(handler: HTTPRouteHandler, method: str) -> str:
    guards = handler.resolve_guards()
    if operator_only in guards:
        return "platform"
    if operator_or_member in guards:
        return "viewer"
    if not _MEMBERS & handler.parsed_fn_signature.parameters.keys():
        return "anybody"
    return role_of(handler, method.upper()).name.lower()


def _idempotency_key() -> Document:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Sent again with the same key, a request is answered again and not done"
        " again; take a new one for each request.",
        "schema": {"type": "string", "minLength": 1, "maxLength": KEY_MAX},
    }


def _link(made: Document) -> None:
    """Lead from each answer that shows an id to the operations that take it in their path."""
    takers: dict[str, list[str]] = {}
    operations = [
        (path, operation)
        for path, methods in made["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    ]
    for path, operation in operations:
        for name in _names(path):
            takers.setdefault(name, []).append(operation["operationId"])
    for _, operation in operations:
        for status, response in operation["responses"].items():
            if status.startswith("2") and (links := _links(response, made, takers)):
                response["links"] = links


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _links(response: Document, made: Document, takers: dict[str, list[str]]) -> Document:
    content = response.get("content", {}).get("application/json", {})
    places = dict(_places(content.get("schema", {}), "", made["components"]["schemas"]))
    return {
        f"{operation}_by_{name}": {
            "operationId": operation,
            "parameters": {f"path.{name}": f"$response.body#{places[name]}"},
        }
        for name in sorted(places.keys() & takers.keys())
        for operation in takers[name]
    }


def _places(schema: Document, at: str, schemas: Document) -> Iterator[tuple[str, str]]:
    """Where an answer holds ids: its own members, and those of a list's first item."""
    shown = schemas.get(schema.get("$ref", "").removeprefix(_SCHEMAS), schema)
    for name, member in shown.get("properties", {}).items():
        if member.get("format") == "uuid":
            yield name, f"{at}/{name}"
        elif member.get("type") == "array" and not at:
            yield from _places(member["items"], f"/{name}/0", schemas)
