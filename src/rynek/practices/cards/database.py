"""The file that holds cards and answers: opened when first needed, written by one at a time."""

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
FILE: Final = "practices.db"
_CACHE_KIB: Final = 4096

MIGRATIONS: Final = (
    """
CREATE TABLE version(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, number INTEGER NOT NULL,
  at INTEGER NOT NULL, who TEXT NOT NULL, note TEXT NOT NULL, removed INTEGER NOT NULL,
  body BLOB NOT NULL, UNIQUE(id, number)
) STRICT;
CREATE TABLE card(
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, door TEXT NOT NULL, seq INTEGER NOT NULL UNIQUE,
  number INTEGER NOT NULL, removed INTEGER NOT NULL, nameless INTEGER NOT NULL,
  names TEXT NOT NULL, theme TEXT NOT NULL, cluster TEXT NOT NULL, verdict TEXT NOT NULL,
  status TEXT NOT NULL, country TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX card_door ON card(removed, door, owner);
CREATE TABLE result(
  id TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
  specification TEXT NOT NULL, input TEXT NOT NULL, rynek TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY(id, key, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE note(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
""",
)


class Database:
    """One SQLite file; safe from several threads, and beside other processes."""

    def __init__(self, path: Path, steps: Sequence[str] = MIGRATIONS) -> None:
        self._path = path
        self._steps = steps
        self._lock = threading.RLock()
        self._database: Connection | None = None
        self._writing = False

    def close(self) -> None:
        """Close the file; what its log holds goes into it where that can be."""
        with self._lock:
            database, self._database = self._database, None
            if database is None:
                return
            try:
                checkpoint(database, truncate=True)
            except Exception:
                _logger.warning("%s was closed without a checkpoint", self._path, exc_info=True)
            database.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The database under the lock; a failure of the storage closes it and is told as one."""
        with self._lock:
            try:
                if self._database is None:
                    self._database = _opened(self._path, self._steps)
                yield self._database
            except Problem:
                raise
            except Exception as error:
                problem = storage_problem(error, self._path)
                if problem is None:
                    raise
                database, self._database = self._database, None
                if database is not None:
                    database.close()
                raise problem from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One durable transaction that no other process writes into; one within another is part of
        that."""
        with self.reading() as database:
            if self._writing:
                yield database
                return
            database.execute("BEGIN IMMEDIATE")
            self._writing = True
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled back by itself (a full disk).
                _rolled_back(database)
                raise
            finally:
                self._writing = False
            checkpoint(database)


def _rolled_back(database: Connection) -> None:
    try:
        database.execute("ROLLBACK")
    except Exception as error:
        _logger.debug("no transaction to roll back: %s", error)


def _opened(path: Path, steps: Sequence[str]) -> Connection:
    database = connect(path, cache_kib=_CACHE_KIB)
    try:
        set_aside(database, path, steps)
        migrate(database, steps, path.name)
    except BaseException:
        database.close()
        raise
    return database
