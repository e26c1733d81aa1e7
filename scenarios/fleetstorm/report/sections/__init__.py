"""The chapters of a report, one file each, found by scanning.

A chapter is a module with `ORDER`, a number that says where it stands on the page, and
`render(run) -> Section | None`, which is None where the run has nothing for it. To add one, add a
file: nothing else changes.
"""
