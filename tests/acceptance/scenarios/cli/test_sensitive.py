"""A run with a sensitive sensor: nothing lost or altered, and its value nowhere in the clear."""

import asyncio
import base64
import json
import os
import secrets
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

VALUE = 41.732951
SENSOR = "device_type.door_sensor.specification.sensors.open"
RULE = "{name: in, severity: info, sensor_type: occupancy, conditions: {threshold_high: 40}}"
RUN = (
    "run", "scenario=steady", "device_type=[door_sensor,gateway]", "fleet.mix={door_sensor: 1}",
    "fleet.devices=20", "load.rate=null", "load.interval=500ms", "duration=4s",
    f"prepare.alert_rules=[{RULE}]", "bars.verification.alerts.raised={min: 20}",
    "device_type.door_sensor.specification.version=test", f"{SENSOR}.max=100",
    f"{SENSOR}.resolution=0.000001",
    f"device_type.door_sensor.simulation.sensors.open.signal={{kind: constant, value: {VALUE}}}",
)  # fmt: skip


def _summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def _passed(folder: Path) -> None:
    summary = _summary(folder)
    assert summary["verdict"] == "pass"
    assert (summary["load"]["rejected"], summary["load"]["stored"]) == (
        0, summary["load"]["acknowledged"],
    )  # fmt: skip
    found = summary["verification"]
    assert (found["lost"], found["altered"], found["alerts"]["missed"]) == (0, 0, 0)


@pytest.mark.campaign
def test_an_embedded_database_has_a_key_of_its_own(fleetstorm: Any, tmp_path: Path) -> None:
    done = fleetstorm(*RUN, f"out={tmp_path / 'run'}")
    assert done.code == 0, done.out + done.err
    _passed(tmp_path / "run")


@pytest.mark.campaign
@pytest.mark.parametrize("engine", ["stream", "set", "row"])
async def test_the_value_is_nowhere_in_the_clear(
    fleetstorm: Any, tmp_path: Path, postgres: Any, database_url: str, engine: str
) -> None:
    """Not in a dump of the database, not in a server log that holds every statement."""
    database = urlsplit(database_url).path[1:]
    await _log_everything(database_url, database)
    key = secrets.token_bytes(32)
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text(f"mine {base64.b64encode(key).decode()}\n")
    done = await asyncio.to_thread(
        fleetstorm, *RUN, f"engine={engine}", f"out={tmp_path / 'run'}",
        f"platform.database.url={database_url}", f"platform.encryption.keys={keys}",
        "platform.encryption.active=mine",
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    _passed(tmp_path / "run")
    dump = await asyncio.to_thread(_dump, postgres, database_url)
    assert dump.count(b"\\\\x01046d696e65") == _encrypted(tmp_path / "run")
    logs = [postgres.part.process.log_path, *(tmp_path / "run" / "logs").rglob("*")]
    texts = {"dump": dump} | {str(path): path.read_bytes() for path in logs if path.is_file()}
    secret = [b"41.73295", struct.pack(">d", VALUE).hex().encode(), key, key.hex().encode()]
    secret += [base64.b64encode(key), repr(key)[2:-1].encode()]
    assert [(name, one) for name, text in texts.items() for one in secret if one in text] == []
    assert b"encrypt_sensor_value" in dump


def _encrypted(folder: Path) -> int:
    """A third of the readings: those of `open`, beside `passages` and `battery`."""
    return int(_summary(folder)["load"]["stored"]) // 3


async def _log_everything(url: str, database: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute(
        f"alter database {database} set log_statement = 'all';"
        f" alter database {database} set log_min_duration_statement = 0;"
        f" alter database {database} set log_parameter_max_length = -1"
    )
    await conn.close()


def _dump(postgres: Any, url: str) -> bytes:
    program: Callable[[str], Path] = postgres.data.binaries.program
    environment = os.environ | postgres.data.binaries.environment
    done = subprocess.run(
        [program("pg_dump"), url], capture_output=True, check=True, env=environment
    )
    return done.stdout
