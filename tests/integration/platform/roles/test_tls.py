"""HTTPS with certificates of clients, checked at the handshake; and settings that cannot do."""

import asyncio
import http.client
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from cryptography import x509
from pki import DAY, SERVER, Party, make, root

from fleetplatform.errors import SettingsError
from fleetplatform.roles.server import HttpServer
from fleetplatform.settings import ProcessSettings, TlsSettings
from fleetplatform.wire.clock import wall_now_us

OPERATOR_TOKEN = "operator-token-of-the-tests"
ADDRESS = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])


def write(folder: Path, name: str, *parts: str | bytes) -> str:
    path = folder / name
    path.write_bytes(b"".join(p if isinstance(p, bytes) else p.encode() for p in parts))
    return str(path)


@dataclass
class Site:
    """What an operator has: a server's certificate, and the authority of the devices."""

    folder: Path
    servers: Party
    devices: Party
    line: Party
    revoked: Party

    def settings(self, **changes: Any) -> TlsSettings:
        server = self.servers.issue("localhost", usages=SERVER, extensions=((ADDRESS, False),))
        made = TlsSettings(
            certificate=write(self.folder, "server.pem", server.chain),
            key=write(self.folder, "server.key", server.key_pem),
            client_ca=write(self.folder, "devices.pem", self.devices.pem),
            client_crls=(
                write(self.folder, "devices.crl", self.devices.revoke(self.revoked)),
                write(self.folder, "line.crl", self.line.revoke()),
            ),
            require_client_certificate=True,
        )
        return msgspec.structs.replace(made, **changes)

    def context(self, client: Party | None) -> ssl.SSLContext:
        """A client that trusts the server, with a certificate or without."""
        made = ssl.create_default_context(cadata=self.servers.pem)
        if client is not None:
            made.load_cert_chain(write(self.folder, "client.pem", client.key_pem, client.chain))
        return made


@pytest.fixture
def site(tmp_path) -> Site:
    devices = root("devices")
    line = devices.authority("line 7")
    return Site(tmp_path, root("servers"), devices, line, devices.issue("revoked"))


def changed(service, tls: TlsSettings):
    """The same service with TLS."""
    platform = msgspec.structs.replace(service.settings.platform, tls=tls)
    settings = msgspec.structs.replace(service.settings, platform=platform)
    return type(service)(service.roles, settings, service.log_path.parent)


async def ask(port: int, context: ssl.SSLContext | None, method: str, path: str, token: str = "",
              body: Any = None) -> tuple[int, Any]:  # fmt: skip
    """One request over a connection of its own; raises OSError where there is no handshake."""

    def exchange() -> tuple[int, Any]:
        kind = http.client.HTTPConnection if context is None else http.client.HTTPSConnection
        more = {} if context is None else {"context": context}
        connection = kind("127.0.0.1", port, timeout=30, **more)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request(method, path, msgspec.json.encode(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        json = "json" in answer.headers["content-type"]
        return answer.status, msgspec.json.decode(content) if json else content

    return await asyncio.to_thread(exchange)


async def is_ready(port: int, context: ssl.SSLContext | None) -> bool:
    try:
        return (await ask(port, context, "GET", "/readyz"))[0] == 200
    except OSError:
        return False


async def enrolled(port: int, context: ssl.SSLContext, specification) -> str:
    """The token of a thermometer."""

    async def ok(method: str, path: str, token: str, body: Any) -> Any:
        status, reply = await ask(port, context, method, path, token, body)
        assert status < 300, reply
        return reply

    kind = "/v1/device-types/thermometer"
    await ok("PUT", kind, OPERATOR_TOKEN, specification("thermometer"))
    made = await ok("POST", "/v1/organizations", OPERATOR_TOKEN, {"name": "one"})
    new = {"devices": [{"serial_number": "d1", "device_type": "thermometer"}]}
    return (await ok("POST", "/v1/devices/bulk", made["api_key"], new))["devices"][0]["token"]


async def test_only_a_client_with_a_good_certificate_gets_a_word_in(
    service_of, database_url, site, specification, eventually
):
    service = changed(await service_of(database_url), site.settings())
    process = await service.spawn()
    port = service.settings.port
    good = site.context(site.line.issue("d1"))
    try:
        await eventually(lambda: is_ready(port, good))
        token = await enrolled(port, good, specification)
        body = {"readings": [{"sensor": "temperature", "t": wall_now_us(), "v": 21.0}]}
        status, reply = await ask(port, good, "POST", "/v1/readings", token, body)
        assert (status, reply["accepted"]) == (200, 1)
        strangers = {
            "no certificate": None,
            "another authority": root("strangers").issue("d1"),
            "an authority of the same name": root("devices").issue("d1"),
            "self-signed": make(None, "d1"),
            "no list of its issuer": site.devices.authority("line 8").issue("d1"),
            "expired": site.devices.issue("d1", begins=-2 * DAY, ends=-DAY),
            "not yet valid": site.devices.issue("d1", begins=DAY, ends=2 * DAY),
            "for servers": site.devices.issue("d1", usages=SERVER),
            "revoked": site.revoked,
        }
        for client in strangers.values():
            with pytest.raises(OSError):  # noqa: PT011 - SSL alert or reset, as the kernel likes
                await ask(port, site.context(client), "POST", "/v1/readings", token, body)
        with pytest.raises((OSError, http.client.HTTPException)):
            await ask(port, None, "POST", "/v1/readings", token, body)
        # The handshake says that a certificate is good, the token alone whose it is.
        status, reply = await ask(port, good, "POST", "/v1/readings", "not a token", body)
        assert (status, reply["code"]) == (401, "unauthorized")
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
    conn = await asyncpg.connect(database_url)
    assert await conn.fetchval("select count(*) from iot.sensor_data") == 1
    await conn.close()
    assert f'"url": "https://127.0.0.1:{port}"' in service.log


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client_ca": None}, "client_ca"),
        ({"client_ca": __file__}, "client_ca"),
        ({"client_crls": (__file__,)}, "client_crls"),
        ({"certificate": "/nowhere.pem"}, "certificate and key"),
        ({"client_crls": ("/nowhere.crl",)}, "client_crls"),
    ],
)
def test_settings_that_cannot_do_are_one_sentence(make_settings, site, changes, said):
    platform = msgspec.structs.replace(make_settings(), tls=site.settings(**changes))
    settings = ProcessSettings(
        platform=platform, host="127.0.0.1", port=0, database_urls={}, operator_token_sha256="",
        encryption=None,
    )
    with pytest.raises(SettingsError, match=said):
        HttpServer(settings)
