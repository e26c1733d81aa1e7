"""Named queries are found beside their module, and no name stands for two."""

from pathlib import Path

import pytest

from fleetplatform.database.queries import load

ONE = "-- name: one()$\nselect 1;\n"


def test_a_file_and_a_folder_of_files(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "queries.sql").write_text(ONE)
    folder = tmp_path / "many" / "queries"
    folder.mkdir(parents=True)
    (folder / "a.sql").write_text(ONE)
    (folder / "b.sql").write_text(ONE.replace("one", "two"))
    assert load(str(tmp_path / "plain" / "module.py")).one.sql
    assert load(str(tmp_path / "many" / "module.py")).two.sql


def test_a_name_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "a.sql").write_text(ONE)
    (folder / "b.sql").write_text(ONE)
    with pytest.raises(ValueError, match="names a query twice: one"):
        load(str(tmp_path / "module.py"))
