"""Which keys a run has, and which it is refused for."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from fleetplatform.admin import read_keys
from fleetstorm.config.compose import composer
from fleetstorm.errors import UsageError
from fleetstorm.run.backend import _keys, check_keys

DOORS = ["scenario=steady", "device_type=[door_sensor,gateway]", "fleet.mix={door_sensor: 1}"]
NAMED = "platform.database.url=postgresql://u:p@db.example/fleet"


def _config(*overrides: str):
    with composer() as compose:
        return compose.compose([*DOORS, *overrides]).config


def test_a_database_that_outlives_the_run_needs_keys_for_sensitive_sensors():
    with pytest.raises(UsageError, match=r"the sensor open of door_sensor is sensitive.*keys in"):
        check_keys(_config(NAMED))
    check_keys(_config())
    check_keys(_config(NAMED, "platform.encryption.keys=keys", "platform.encryption.active=a"))
    plain = ["device_type=[thermometer,gateway]", "fleet.mix={thermometer: 1}"]
    check_keys(_config(NAMED, *plain))


def test_the_key_of_an_embedded_database_stands_beside_it(tmp_path: Path):
    settings = _config().platform
    stack = SimpleNamespace(folder=tmp_path)
    keys, path = _keys(stack, settings)  # type: ignore[arg-type]
    assert [str(one) for one in tmp_path.iterdir()] == [path]
    named = _config(f"platform.encryption.keys={path}", "platform.encryption.active=generated")
    assert read_keys(named.platform.encryption) == keys
    assert _keys(stack, named.platform) == (keys, path)  # type: ignore[arg-type]
    assert _keys(stack, _config(NAMED).platform) == (None, None)  # type: ignore[arg-type]
