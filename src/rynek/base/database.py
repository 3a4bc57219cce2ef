"""One SQLite file of a data folder: opened when first needed, written by one at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rynek.base.errors import Problem
from rynek.base.sqlite import (
    Busy,
    Connection,
    checkpoint,
    connect,
    connect_memory,
    migrate,
    set_aside,
)
from rynek.base.storage import storage_problem

__all__ = ["Database"]

_logger = logging.getLogger(__name__)
_CACHE_KIB: Final = 4096


class Database:
    """A file at `path` with the schema of `steps` (see `migrate`); safe from several threads, and
    beside other processes. Who reads where there is no file finds an empty one, and makes none."""

    def __init__(self, path: Path, steps: Sequence[str]) -> None:
        self.path = path
        self._steps = steps
        self._lock = threading.RLock()
        self._open: Connection | None = None
        self._empty: Connection | None = None
        self._in_transaction = False

    def close(self) -> None:
        """Close the file; what its log holds goes into it where that can be."""
        with self._lock:
            database, self._open = self._open, None
            self._drop_empty()
            if database is None:
                return
            try:
                checkpoint(database, truncate=True)
            except Busy:
                _logger.debug("%s is open elsewhere: its log is left to others", self.path)
            except Exception:
                _logger.warning("%s was closed without a checkpoint", self.path, exc_info=True)
            database.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The database under the lock. StorageProblem, after which it is opened anew, where the
        storage fails."""
        with self._lock:
            if self._open is None and not self.path.exists():
                if self._empty is None:
                    self._empty = connect_memory()
                    migrate(self._empty, self._steps, self.path.name)
                yield self._empty
                return
            with self._opened() as database:
                yield database

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One durable transaction, all of it or nothing, that no other process writes into; one
        within another is part of that."""
        with self._lock, self._opened() as database:
            if self._in_transaction:
                yield database
                return
            database.execute("BEGIN IMMEDIATE")
            self._in_transaction = True
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                _roll_back(database)
                raise
            finally:
                self._in_transaction = False
            # The transaction is there, whoever else moves the log into the file just now.
            with suppress(Busy):
                checkpoint(database)

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        try:
            if self._open is None:
                self._open = _connected(self.path, self._steps)
                self._drop_empty()
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

    def _drop_empty(self) -> None:
        empty, self._empty = self._empty, None
        if empty is not None:
            empty.close()


def _roll_back(database: Connection) -> None:
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
