"""The examples of docs/kinds.md, built as the page says."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fleetplatform.processing.rules
import fleetsim.signals.kinds
from fleetconf import kinds
from fleetplatform.processing import rules
from fleetsim.signals.kinds import Group

PAGE = Path(__file__).parents[3] / "docs" / "kinds.md"
PACKAGE = "fleetsim.signals.kinds"


def _build(name: str, package: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's file of that name, in a folder that the package is looked for in as well."""
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (code,) = [one for one in examples if one.startswith(f'"""{name}: ')]
    (folder / f"{name}.py").write_text(code, "utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    importlib.invalidate_caches()


@pytest.fixture
def sawtooth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _build("sawtooth", fleetsim.signals.kinds, tmp_path, monkeypatch)


@pytest.fixture
def quantize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _build("quantize", fleetplatform.processing.rules, tmp_path, monkeypatch)


@pytest.mark.usefixtures("sawtooth")
def test_the_example_is_found_by_scanning_and_does_what_it_says() -> None:
    assert "sawtooth" in kinds.names(PACKAGE)
    settings = kinds.load(PACKAGE, "sawtooth").Settings(low=10.0, high=20.0, period=4.0)
    group = Group([settings], np.zeros(1, np.int32), np.zeros(1, np.int64), seed=1, start_us=0)
    t_us = np.arange(6, dtype=np.int64) * 1_000_000
    values = settings.build(group).values(np.zeros(6, np.intp), t_us, t_us)
    assert values.tolist() == [10.0, 12.5, 15.0, 17.5, 10.0, 12.5]


@pytest.mark.usefixtures("quantize")
def test_the_processing_rule_is_one_at_once() -> None:
    with pytest.raises(ValueError, match="step must lie above 0"):
        rules.parse("quantize", {"step": 0.0})
    operation = rules.parse("quantize", {"step": 0.5}).operation()
    values = np.array([0.2, 0.3, -1.3])
    made = operation.make(np.zeros(3, np.int32), np.arange(3, dtype=np.int64), (values,))
    assert made.value.tolist() == [0.0, 0.5, -1.5]


@pytest.mark.parametrize(
    "folder", re.findall(r"^\| \w[\w ]* \| `([^`]+/)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
)
def test_every_folder_that_the_page_names_exists(folder: str) -> None:
    assert (PAGE.parents[1] / folder / "__init__.py").exists()
