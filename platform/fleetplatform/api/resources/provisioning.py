"""First contact and credentials of devices; the routes without a tenant are for devices."""

from typing import Annotated
from uuid import UUID

from litestar import Request, delete, get, post
from litestar.exceptions import NotAuthorizedException
from litestar.params import Parameter

from fleetplatform.api.access import Context, token_of
from fleetplatform.api.paging import page_of
from fleetplatform.control import configurations, provisioning
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import certificates, claims, credentials, devices
from fleetplatform.registry.organizations import Role
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.certificates import DeviceCertificates
from fleetplatform.wire.resources.devices import EnrolledDevice, NewDevice
from fleetplatform.wire.resources.provisioning import (
    ClaimTokens,
    DeviceConfiguration,
    FirstContact,
    MadeClaimToken,
    NewClaimToken,
    NewToken,
    Provisioned,
    RegisteredDevice,
)

CONTACT_BYTES_MAX = 256 * 1024
"""Of a body from somebody whom nobody knows yet."""
OVERLAP_S_MAX = 30 * 86_400
Overlap = Annotated[
    int | None,
    Parameter(ge=0, le=OVERLAP_S_MAX, description="s that tokens before it stay good; 0: none"),
]


@post("/v1/provision", request_max_body_size=CONTACT_BYTES_MAX)
async def provision(data: FirstContact, context: Context) -> Provisioned:
    """The first contact of a device, which proves who it is; its token is shown this once."""
    return await provisioning.provision(context.pool, data, context.credential_overlap_s)


@post("/v1/device/token", request_max_body_size=CONTACT_BYTES_MAX)
async def rotate_own_token(request: Request, context: Context) -> NewToken:  # type: ignore[type-arg]
    """A new token for the device that shows a good one, which stays good for the overlap."""
    made = await provisioning.rotate_own_token(
        context.pool, token_of(request), context.credential_overlap_s
    )
    if made is None:
        raise NotAuthorizedException("the token is not known")
    return made


@post("/v1/devices")
async def register_device(
    data: RegisteredDevice, tenant: Tenant, context: Context
) -> EnrolledDevice:
    """Register a device that will make its first contact itself; it has no token until then."""
    new = NewDevice(
        serial_number=data.serial_number,
        device_type=data.device_type,
        device_type_version=data.device_type_version,
        hardware_revision=data.hardware_revision,
        gateway=data.gateway,
    )
    made = await devices.enrol(context.pool, tenant, [new], "provisioning")
    return made.devices[0]


@post("/v1/devices/{device_id:uuid}/tokens")
async def rotate_token(
    device_id: UUID, tenant: Tenant, context: Context, overlap_s: Overlap = None
) -> NewToken:
    """A new token for a device; those before it are good for the overlap."""
    overlap = context.credential_overlap_s if overlap_s is None else overlap_s
    return await credentials.rotate(context.pool, tenant, device_id, overlap)


@get("/v1/devices/{device_id:uuid}/certificates")
async def list_device_certificates(
    device_id: UUID, tenant: Tenant, context: Context
) -> DeviceCertificates:
    """The certificates that a device has shown, newest first."""
    return await certificates.of_device(context.pool, tenant, device_id)


@get("/v1/devices/{device_id:uuid}/configuration")
async def read_configuration(
    device_id: UUID, tenant: Tenant, context: Context
) -> DeviceConfiguration:
    """What a device works by; version 0 before its first contact."""
    return await configurations.read(context.pool, tenant, device_id)


@post("/v1/claim-tokens")
async def make_claim_token(data: NewClaimToken, tenant: Tenant, context: Context) -> MadeClaimToken:
    """A token for the first contact of a device without a certificate, shown this once."""
    return await claims.make(context.pool, tenant, data)


@get(
    "/v1/claim-tokens",
    opt={"role": Role.OPERATOR},
    dependencies={"page": page_of("created", both_ways=False)},
)
async def list_claim_tokens(tenant: Tenant, context: Context, page: Page) -> ClaimTokens:
    """The claim tokens that nobody revoked, used up and expired ones too."""
    return await claims.listed(context.pool, tenant, page)


@delete("/v1/claim-tokens/{claim_id:uuid}")
async def revoke_claim_token(claim_id: UUID, tenant: Tenant, context: Context) -> None:
    """A claim token is good no more."""
    await claims.revoke(context.pool, tenant, claim_id)


handlers = [
    provision, rotate_own_token, register_device, rotate_token, list_device_certificates,
    read_configuration, make_claim_token, list_claim_tokens, revoke_claim_token,
]  # fmt: skip
