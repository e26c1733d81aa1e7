"""Whose certificates an organization trusts, kept by its admins."""

from uuid import UUID

from litestar import delete, get, post, put

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import certificates
from fleetplatform.registry.organizations import Role
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.certificates import (
    CertificateAuthorities,
    CertificateAuthority,
    NewCertificateAuthority,
    NewRevocationList,
)


@post("/v1/certificate-authorities", opt={"role": Role.ADMIN})
async def trust_authority(
    data: NewCertificateAuthority, tenant: Tenant, context: Context
) -> CertificateAuthority:
    """Trust an authority: devices that come with its certificates are let in."""
    return await certificates.trust(context.pool, tenant, data)


@get("/v1/certificate-authorities", dependencies={"page": page_of("name", both_ways=False)})
async def list_authorities(tenant: Tenant, context: Context, page: Page) -> CertificateAuthorities:
    """The authorities that are trusted, in order of name."""
    return await certificates.listed(context.pool, tenant, page)


@get("/v1/certificate-authorities/{authority_id:uuid}")
async def read_authority(
    authority_id: UUID, tenant: Tenant, context: Context
) -> CertificateAuthority:
    """One authority that is trusted."""
    return await certificates.read(context.pool, tenant, authority_id)


@put("/v1/certificate-authorities/{authority_id:uuid}/revocations", opt={"role": Role.ADMIN})
async def put_revocations(
    authority_id: UUID,
    data: NewRevocationList,
    tenant: Tenant,
    context: Context,
    expected: int | None,
) -> CertificateAuthority:
    """Keep a newer list of what an authority revoked."""
    return await certificates.revoke(context.pool, tenant, authority_id, data.revocations, expected)


@delete("/v1/certificate-authorities/{authority_id:uuid}", opt={"role": Role.ADMIN})
async def distrust_authority(
    authority_id: UUID, tenant: Tenant, context: Context, expected: int | None
) -> None:
    """Trust an authority no more; devices that came with it keep their tokens."""
    await certificates.distrust(context.pool, tenant, authority_id, expected)


handlers = [trust_authority, list_authorities, read_authority, put_revocations, distrust_authority]
