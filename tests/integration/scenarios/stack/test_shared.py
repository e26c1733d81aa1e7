"""Stacks above one that they share: its server is theirs, and outlives them."""

from pathlib import Path

import asyncpg

from fleetstorm.stack.stack import Stack


async def test_a_shared_server_outlives_the_stacks_above_it(tmp_path: Path) -> None:
    """Its events are told to the stack that is above at the moment; what is left is one server."""
    told: list[tuple[int, str, str]] = []
    done: list[int] = []
    async with Stack(tmp_path / "shared") as shared:
        for number in range(2):

            def tell(name: str, what: str, detail: str, number: int = number) -> None:
                told.append((number, name, what))

            async def tidy(number: int = number) -> None:
                assert shared.postgres is not None
                conn = await asyncpg.connect(shared.postgres.url())
                await conn.close()
                done.append(number)

            async with Stack(tmp_path / str(number), tell, below=shared) as above:
                above.afterwards(tidy)
                server = await above.start_postgres()
                assert above.part("postgres") is shared.part("postgres")
                assert above.folder != shared.folder
            assert not above.folder.exists()
        assert server is shared.postgres
        assert server.part.pid is not None
    assert done == [0, 1]
    assert told == [(0, "postgres", "started")]
    assert not server.data_dir.exists()
