"""The platform that a run starts."""

import msgspec
import pytest

from fleetplatform.settings import TlsSettings
from fleetstorm.errors import UsageError
from fleetstorm.run.backend import start_backend


async def test_a_run_starts_no_platform_that_it_could_not_speak_to(make_settings):
    tls = TlsSettings(
        certificate="a", key="b", client_ca=None, client_crls=(), require_client_certificate=False
    )
    settings = msgspec.structs.replace(make_settings(), tls=tls)
    with pytest.raises(UsageError, match=r"platform\.tls"):
        await start_backend(None, settings)
