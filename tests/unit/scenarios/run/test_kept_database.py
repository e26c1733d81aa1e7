"""What is printed about a database that stays up."""

import shlex
from pathlib import Path
from types import SimpleNamespace

from fleetstorm.run.run import _how_to_connect


def test_a_space_in_the_path_does_not_name_another_folder_to_be_removed() -> None:
    folder = Path("/some where/it's")
    server = SimpleNamespace(
        psql=None, data_dir=folder / "data", url=lambda database: f"postgresql://u:p@h/{database}"
    )
    _, remove = _how_to_connect(server, folder).splitlines()  # type: ignore[arg-type]
    assert shlex.split(remove.partition("; ")[2]) == ["rm", "-rf", str(folder)]


def test_data_elsewhere_are_removed_too() -> None:
    server = SimpleNamespace(
        psql="psql", data_dir=Path("/b/data"), url=lambda database: f"postgresql://h/{database}"
    )
    _, remove = _how_to_connect(server, Path("/a")).splitlines()  # type: ignore[arg-type]
    assert remove.endswith("rm -rf /a /b/data")
