"""The codes of refusals: one list, told to people, used by the platform, and all of it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import fleetplatform
from fleetplatform.wire.problems import CODES, Rejection

PACKAGE = Path(fleetplatform.__file__).parent
LIST = PACKAGE / "wire" / "problems.py"
PAGE = Path(__file__).parents[4] / "docs" / "errors.md"
PROBLEMS = re.compile(r"^\| `(\w+)` \| (\d{3}) \| (.+) \|$", re.MULTILINE)
REJECTIONS = re.compile(r"^\| `(\w+)` \| ([^|]+) \|$", re.MULTILINE)


def _sources() -> Iterator[ast.Module]:
    for path in PACKAGE.rglob("*.py"):
        if path != LIST:
            yield ast.parse(path.read_text())


def _text(node: ast.expr | None) -> Iterator[str]:
    """The literals that an expression may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _text(node.body)
        yield from _text(node.orelse)


def _named() -> Iterator[str]:
    """Codes that the sources give to a refusal: code="…", a class's code, Problem, Refusal."""
    place = {"Problem": 0, "Refusal": 1}
    for tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    if keyword.arg == "code":
                        yield from _text(keyword.value)
                called = node.func.id if isinstance(node.func, ast.Name) else ""
                if called in place and len(node.args) > place[called]:
                    yield from _text(node.args[place[called]])
            elif isinstance(node, ast.ClassDef):
                for one in node.body:
                    if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "code":
                        yield from _text(one.value)


def test_every_code_that_is_given_is_in_the_list() -> None:
    assert set(_named()) - CODES.keys() == set()


def test_no_code_of_the_list_is_unused() -> None:
    literals = {
        node.value
        for tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert CODES.keys() - literals == set()


def test_the_page_lists_them_all_in_order() -> None:
    rows = [(code, int(status), says) for code, status, says in PROBLEMS.findall(PAGE.read_text())]
    assert rows == [(code, *CODES[code]) for code in sorted(CODES)]


def test_the_page_lists_why_a_reading_is_not_taken() -> None:
    page = PAGE.read_text().partition("## Readings that are not taken")[2]
    codes = [code for code, _ in REJECTIONS.findall(page)]
    assert codes == [one.code for one in Rejection if one is not Rejection.ACCEPTED]
