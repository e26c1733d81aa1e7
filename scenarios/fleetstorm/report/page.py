"""report.html: a run on one page."""

import os
from functools import cache
from pathlib import Path

import jinja2

from fleetconf import kinds
from fleetstorm.errors import InfrastructureError
from fleetstorm.report.blocks import Section
from fleetstorm.results import Run, load
from fleetstorm.results.folder import REPORT
from fleetstorm.results.standing import proven
from fleetstorm.results.summary import Summary

_SECTIONS = "fleetstorm.report.sections"
HEADLINES = {
    "pass": "Passed",
    "fail": "Failed",
    "void": "Void",
    "error": "Error",
    "interrupted": "Interrupted",
}


def write(folder: Path) -> Path:
    """Write report.html into a results folder, from its files alone; gives its path.

    Raises UsageError for a folder without results, InfrastructureError if it can't be written.
    """
    return write_page(folder, render(load(folder)))


def write_page(folder: Path, page: str) -> Path:
    """Write a page as a folder's report.html, whole or not at all; raises InfrastructureError."""
    path = folder / REPORT
    aside = path.with_name(f".{REPORT}.part")
    try:
        aside.write_text(page, encoding="utf-8")
        os.replace(aside, path)
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def render(run: Run) -> str:
    """The page as HTML."""
    template = environment().get_template("page.html.j2")
    return template.render(
        run=run.summary.run,
        summary=run.summary,
        headline=headline(run.summary),
        look="unproven" if _unproven(run.summary) else run.summary.verdict,
        sections=sections(run),
    )


def headline(summary: Summary) -> str:
    """The verdict in a word or two; a pass that proves nothing does not say that it passed."""
    return "Measured, nothing proven" if _unproven(summary) else HEADLINES[summary.verdict]


def _unproven(summary: Summary) -> bool:
    return summary.verdict == "pass" and not proven(summary)


def sections(run: Run) -> list[tuple[str, Section]]:
    """Every section that has something to say about the run, in order, with its name."""
    modules = sorted(kinds.find(_SECTIONS).items(), key=lambda item: item[1].ORDER)
    rendered = [(name, module.render(run)) for name, module in modules]
    return [(name, section) for name, section in rendered if section is not None]


@cache
def environment() -> jinja2.Environment:
    """The templates of this room."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
