"""The example of docs/provisioning.md does what it says."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import msgspec
import pytest

PAGE = Path(__file__).parents[4] / "docs" / "provisioning.md"
TOOLS = ("curl", "openssl", "bash")


async def test_the_pages_example_lets_a_device_in(platform, tmp_path):
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{', '.join(missing)} is not installed")
    (script,) = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    tenant = await platform.tenant()
    ran = await asyncio.create_subprocess_exec(
        "bash", "-e", "-o", "pipefail", "-c", script, cwd=tmp_path,
        env=os.environ | {"URL": platform.url, "KEY": tenant.api_key},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await ran.communicate()
    assert ran.returncode == 0, said.decode()
    provisioned = msgspec.json.decode(said.splitlines()[-1])
    assert list(provisioned["sensors"]) == ["temperature", "humidity", "pressure"]
    assert (await platform.post(provisioned["token"], [])).status == 200
