"""Keys of programs and of people."""

from typing import Literal
from uuid import UUID

from fleetplatform.wire.resources.body import Body, Name, Reply

RoleName = Literal["viewer", "operator", "admin"]


class NewApiKey(Body, frozen=True, kw_only=True):
    """POST /v1/api-keys, and POST /v1/users/{user_id}/keys for a user's own."""

    name: Name
    role: RoleName


class ApiKey(Reply, frozen=True, kw_only=True):
    """A key, without its token; `revoked_at_us` is null while it is good."""

    organization_id: UUID
    api_key_id: UUID
    name: str
    role: RoleName
    user_id: UUID | None
    created_at_us: int
    revoked_at_us: int | None


class IssuedApiKey(ApiKey, frozen=True, kw_only=True):
    """A new key with its token, shown this once."""

    token: str


class ApiKeys(Reply, frozen=True, kw_only=True):
    """GET /v1/api-keys."""

    api_keys: tuple[ApiKey, ...]
    next_cursor: str | None = None


class Me(Reply, frozen=True, kw_only=True):
    """GET /v1/me: as whom a token works.

    `organization_id` is null for the operator in no organization; `device_groups` null: no limit.
    """

    organization_id: UUID | None
    role: RoleName
    actor: str
    user_id: UUID | None
    device_groups: tuple[UUID, ...] | None
