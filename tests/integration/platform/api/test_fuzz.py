"""schemathesis over the whole API, with stateful links: nothing that is sent makes it fail."""

import asyncio
import sys
from pathlib import Path

import pytest

SECONDS = 70
OPERATOR = "operator-token-of-the-tests"
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance"
LOADING = 60
"""Seconds beside the run itself: the start of a process, the report."""


async def _fuzz(url: str, token: str, folder: Path) -> tuple[int, str]:
    """Run schemathesis in a folder of its own; its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", f"{url}/v1/openapi.json",
        "--header", f"Authorization: Bearer {token}", "--checks", CHECKS,
        "--phases", "examples,coverage,fuzzing,stateful", "--max-time", str(SECONDS),
        "--continue-on-failure", "--no-shrink", "--suppress-health-check", "all",
        "--generation-database", "none", "--request-timeout", "30", "--warnings", "off",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), SECONDS + LOADING)
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.mark.campaign
@pytest.mark.parametrize("who", ["admin", "platform"])
async def test_no_request_makes_the_platform_fail(everything, tmp_path: Path, who: str) -> None:
    tenant = everything.tenants[0]
    token = OPERATOR if who == "platform" else tenant.tokens["admin"]
    code, said = await _fuzz(everything.service.url, token, tmp_path)
    print(said[-6_000:])
    assert "request failed" not in everything.service.log
    assert code == 0, said
