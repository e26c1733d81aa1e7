"""Parts of a run that are said to be elsewhere, and are not."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetstorm.stack.ports import pick_free_port

from .conftest import Fleetstorm

SHORT = ("scenario=smoke", "duration=3s", "timeline=[]", "fleet.devices=20")


@pytest.fixture
def web_server() -> Iterator[str]:
    """Some other web server, which answers everything with a page."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.campaign
def test_a_ray_that_does_not_answer_is_one_sentence(fleetstorm: Fleetstorm) -> None:
    port = pick_free_port()
    ended = fleetstorm("run", *SHORT, f"ray.address=127.0.0.1:{port}")
    assert ended.code == 5
    assert f"ray.address: no Ray answers at 127.0.0.1:{port}" in ended.err


def test_a_platform_without_its_database_is_refused_before_anything_starts(
    fleetstorm: Fleetstorm, tmp_path: Path
) -> None:
    words = ("platform.url=http://127.0.0.1:1", "platform.token=t")
    ended = fleetstorm("run", *SHORT, *words)
    assert (ended.code, ended.out) == (2, "")
    assert "platform.database.url" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.campaign
def test_another_web_server_is_no_platform(fleetstorm: Fleetstorm, web_server: str) -> None:
    words = (f"platform.url={web_server}", "platform.token=t", "verify=false", "start=now")
    ended = fleetstorm("run", *SHORT, *words)
    assert ended.code == 2, ended
    said = [line for line in ended.err.splitlines() if line.startswith("fleetstorm: ")]
    assert len(said) == 1
    assert f"platform.url: {web_server} is no Fleetstorm platform" in said[0]
