"""The example of docs/kinds.md, built as the page says."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

import fleetsim.signals.kinds
from fleetconf import kinds
from fleetsim.signals.kinds import Group

PAGE = Path(__file__).parents[3] / "docs" / "kinds.md"
PACKAGE = "fleetsim.signals.kinds"


@pytest.fixture
def sawtooth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's file, in a folder that the package is looked for in as well."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "sawtooth.py").write_text(code, "utf-8")
    package = fleetsim.signals.kinds
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    importlib.invalidate_caches()


@pytest.mark.usefixtures("sawtooth")
def test_the_example_is_found_by_scanning_and_does_what_it_says() -> None:
    assert "sawtooth" in kinds.names(PACKAGE)
    settings = kinds.load(PACKAGE, "sawtooth").Settings(low=10.0, high=20.0, period=4.0)
    group = Group([settings], np.zeros(1, np.int32), np.zeros(1, np.int64), seed=1, start_us=0)
    t_us = np.arange(6, dtype=np.int64) * 1_000_000
    values = settings.build(group).values(np.zeros(6, np.intp), t_us, t_us)
    assert values.tolist() == [10.0, 12.5, 15.0, 17.5, 10.0, 12.5]


@pytest.mark.parametrize(
    "folder", re.findall(r"^\| \w[\w ]* \| `([^`]+/)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
)
def test_every_folder_that_the_page_names_exists(folder: str) -> None:
    assert (PAGE.parents[1] / folder / "__init__.py").exists()
