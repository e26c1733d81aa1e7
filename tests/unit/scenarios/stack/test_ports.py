"""Free ports: none given twice, none in the kernel's range for outgoing connections."""

import socket

import pytest

from fleetstorm.errors import InfrastructureError
from fleetstorm.stack.ports import _first_ephemeral_port, check_port_free, pick_free_port


def test_no_port_is_given_twice() -> None:
    ports = [pick_free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < max(_first_ephemeral_port(), 11_001)


def test_a_port_that_somebody_listens_on_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InfrastructureError, match=f"port {port} on 127.0.0.1 is taken"):
            check_port_free("127.0.0.1", port)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(InfrastructureError, match="a port is a number from 0 to 65535"):
        check_port_free("127.0.0.1", port)
