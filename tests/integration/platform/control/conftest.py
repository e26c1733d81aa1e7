"""What tests of first contact share."""

import pytest
from callers import Caller


@pytest.fixture
async def people(platform) -> Caller:
    """Somebody of a new organization, as its admin."""
    tenant = await platform.tenant()
    caller = Caller(platform, tenant.api_key)
    caller.organization_id = str(tenant.organization_id)
    return caller


@pytest.fixture
def anybody(platform) -> Caller:
    """Somebody without a token."""
    return Caller(platform, None)
