"""The house rules that a program can check: sizes, names, where things stand."""

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSES = ("sim/fleetsim", "platform/fleetplatform", "scenarios/fleetstorm", "conf/fleetconf")
FUNCTION_LINES_MAX = 60
FUNCTION_LINES_MEDIAN_MAX = 10
FILE_LINES_MAX = 400
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}
BANNER = re.compile(r"^\s*#\s*[-=#*]{4,}")


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\n")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def _sources() -> list[Path]:
    return [path for path in _tracked("*.py") if path.relative_to(ROOT).parts[0] != "tests"]


def _functions(path: Path) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, kinds) and node.end_lineno
    ]


def test_no_function_is_longer_than_a_screen() -> None:
    sizes = [size for path in _tracked("*.py") for size in _functions(path)]
    assert [name for name, lines in sizes if lines > FUNCTION_LINES_MAX] == []


def test_the_median_function_of_the_houses_is_short() -> None:
    lines = [lines for path in _sources() for _, lines in _functions(path)]
    assert statistics.median(lines) < FUNCTION_LINES_MEDIAN_MAX


def test_no_file_is_longer_than_a_sitting() -> None:
    long = [
        str(path.relative_to(ROOT))
        for path in _tracked("*.py", "*.sql")
        if len(path.read_text().splitlines()) > FILE_LINES_MAX
    ]
    assert long == []


def test_names_say_what_a_module_is_for() -> None:
    named = [p for p in _sources() if FORBIDDEN_NAMES & {*p.stem.split("_"), p.parent.name}]
    assert named == []


def test_every_module_says_what_it_is_for() -> None:
    assert [p for p in _sources() if ast.get_docstring(ast.parse(p.read_text())) is None] == []


def test_there_are_no_banner_comments() -> None:
    banners = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _tracked("*.py", "*.sql", "*.yaml")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if BANNER.match(line)
    ]
    assert banners == []


@pytest.mark.parametrize("house", HOUSES)
def test_entering_a_house_wakes_nothing(house: str) -> None:
    """Ray workers import one room; the house's own __init__ must not import the others."""
    tree = ast.parse((ROOT / house / "__init__.py").read_text())
    imported = [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)
    ]
    names = {alias.name for node in imported for alias in node.names}
    assert names <= {"os"}


def test_the_folder_platform_is_no_package() -> None:
    """It would shadow the standard library's module."""
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_no_path_of_one_machine_is_written_down() -> None:
    machine = re.compile(r"/(?:root|work|home/\w+)/")
    named = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _tracked("*.py", "*.sql", "*.yaml", "*.md", "*.toml", ".ci/*")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if machine.search(line)
    ]
    assert named == []


def test_sql_stands_in_sql_files() -> None:
    """Statements in Python strings are for tests alone."""
    statement = re.compile(r"""["']\s*(?:select|insert into|update|delete from)\s""", re.IGNORECASE)
    allowed = {"select true", "select 1"}
    found = []
    for path in _sources():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if statement.search(line) and not any(text in line.lower() for text in allowed):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []
