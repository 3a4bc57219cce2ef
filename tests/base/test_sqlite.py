"""What connections to SQLite files have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import apsw
import pytest

from rynek.base.sqlite import Connection, MigrationError, connect, migrate


def test_the_caches_of_all_connections_together_are_bounded(tmp_path: Path) -> None:
    connections = [connect(tmp_path / f"{number}.db") for number in range(6)]
    bound = apsw.soft_heap_limit(16 << 20)
    try:
        assert bound > 0
        for connection in connections:
            connection.execute("CREATE TABLE t(body BLOB NOT NULL) STRICT; BEGIN")
            connection.executemany(
                "INSERT INTO t VALUES (?)", ((bytes(4000),) for _ in range(2000))
            )
            connection.execute("COMMIT")
        # 6 times 8 MB were written.
        assert apsw.memory_used() < 24 << 20
    finally:
        apsw.soft_heap_limit(bound)
        for connection in connections:
            connection.close()


class Late:
    """A connection before whose first transaction another process brings the file to `steps`."""

    def __init__(self, path: Path, steps: list[str]) -> None:
        self._connection = connect(path)
        self._path, self._steps = path, steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str) -> Any:
        if self._steps:
            other, steps = connect(self._path), self._steps
            self._steps = []
            migrate(other, steps, "the other")
            other.close()
        return self._connection.execute(statement)


def test_a_file_that_another_process_migrates_meanwhile_keeps_its_format(tmp_path: Path) -> None:
    steps = [f"CREATE TABLE t{number}(body BLOB)" for number in range(3)]
    path = tmp_path / "state.db"
    same = Late(path, steps[:2])
    migrate(cast("Connection", same), steps[:2], "the test")
    assert same.pragma("user_version") == 2
    same.close()
    path = tmp_path / "newer.db"
    newer = Late(path, steps)
    with pytest.raises(MigrationError):
        migrate(cast("Connection", newer), steps[:2], "the test")
    assert newer.pragma("user_version") == 3
    assert not newer.in_transaction
    newer.close()
