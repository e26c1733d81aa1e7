"""Free TCP ports for the parts of a run."""

from __future__ import annotations

import errno
import random
import socket
from pathlib import Path

from fleetstorm.errors import InfrastructureError

_LOWEST_PORT = 10_000
_DRAWS_MAX = 200
_HIGHEST_PORT = 65_535
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")

# Ports given out by this process: two parts that start together must not be told the same one.
_given: set[int] = set()


def pick_free_port(host: str = "127.0.0.1") -> int:
    """A port on `host` that nobody listens on, below the kernel's range for outgoing connections.

    Inside that range a client that reconnects while the server is down can be given the server's
    own port, even connect to itself, and then the server cannot come back.
    """
    draw = random.SystemRandom()
    highest = max(_first_ephemeral_port() - 1, _LOWEST_PORT + 1_000)
    for _ in range(_DRAWS_MAX):
        port = draw.randint(_LOWEST_PORT, highest)
        if port not in _given and _can_listen(host, port) is None:
            _given.add(port)
            return port
    raise InfrastructureError(
        f"no free port was found on {host} between {_LOWEST_PORT} and {highest}: name one yourself"
    )


def check_port_free(host: str, port: int) -> None:
    """Raise InfrastructureError, naming the port, unless a server can listen on host:port."""
    error = _can_listen(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        raise InfrastructureError(
            f"port {port} on {host} is taken by another program: choose another one, or 0 for any"
        )
    raise InfrastructureError(f"nothing can listen on {host}, port {port}: {error}")


def _can_listen(host: str, port: int) -> OSError | None:
    """None when a server could listen on host:port now, else why it could not."""
    if not 0 <= port <= _HIGHEST_PORT:
        return OSError(errno.EINVAL, f"a port is a number from 0 to {_HIGHEST_PORT}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error
    return None


def _first_ephemeral_port() -> int:
    try:
        return int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
