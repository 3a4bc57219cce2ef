"""The file that holds reference tables and published indexes, every version of each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rynek.base.errors import Problem
from rynek.base.sqlite import Connection, checkpoint, connect, migrate, set_aside
from rynek.base.storage import storage_problem

__all__ = ["FILE", "MIGRATIONS", "Database"]

_logger = logging.getLogger(__name__)
FILE: Final = "indicators.db"
_CACHE_KIB: Final = 4096

MIGRATIONS: Final = (
    """
CREATE TABLE reference(
  id TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, digest TEXT NOT NULL,
  about BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY(id, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE comparison(
  id TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, digest TEXT NOT NULL,
  about BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY(id, version)
) STRICT, WITHOUT ROWID;
""",
)


class Database:
    """One SQLite file; safe from several threads, and beside other processes. It is opened when
    first needed; a reader of a file that is not there makes none."""

    def __init__(self, path: Path, steps: Sequence[str] = MIGRATIONS) -> None:
        self.path = path
        self._steps = steps
        self._lock = threading.RLock()
        self._open: Connection | None = None

    def close(self) -> None:
        """Close the file; what its log holds goes into it where that can be."""
        with self._lock:
            database, self._open = self._open, None
            if database is None:
                return
            try:
                checkpoint(database, truncate=True)
            except Exception:
                _logger.warning("%s was closed without a checkpoint", self.path, exc_info=True)
            database.close()

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """The database, None where there is no file yet; a failure of the storage closes it and is
        told as one."""
        with self._lock:
            if self._open is None and not self.path.exists():
                yield None
                return
            with self._opened() as database:
                yield database

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One durable transaction: all of it or nothing."""
        with self._lock, self._opened() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                _rolled_back(database)
                raise
            checkpoint(database)

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        try:
            if self._open is None:
                self._open = _connected(self.path, self._steps)
            yield self._open
        except Problem:
            raise
        except Exception as error:
            problem = storage_problem(error, self.path)
            if problem is None:
                raise
            database, self._open = self._open, None
            if database is not None:
                database.close()
            raise problem from error


def _rolled_back(database: Connection) -> None:
    try:
        database.execute("ROLLBACK")
    except Exception as error:  # SQLite may have rolled back by itself (a full disk)
        _logger.debug("no transaction to roll back: %s", error)


def _connected(path: Path, steps: Sequence[str]) -> Connection:
    database = connect(path, cache_kib=_CACHE_KIB)
    try:
        set_aside(database, path, steps)
        migrate(database, steps, path.name)
    except BaseException:
        database.close()
        raise
    return database
