"""What connections to SQLite files have in common."""

from __future__ import annotations

from pathlib import Path

import apsw

from rynek.base.sqlite import connect


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
