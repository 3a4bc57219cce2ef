"""SQLite connections and migrations: the one place that opens a database file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, cast

import apsw

_PAGE_CACHE_KIB = 65_536
_MMAP_BYTES = 1 << 30


class Cursor(Protocol):
    """The rows of one statement."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def close(self) -> None:
        """End the statement, and the read transaction it holds."""
        ...


class Connection(Protocol):
    """What rynek uses of a connection; rows are tuples whose types the schema promises."""

    def execute(self, statements: str, bindings: Sequence[Any] = ...) -> Cursor:
        """Run one or more statements."""
        ...

    def executemany(self, statements: str, sequenceofbindings: Iterable[Sequence[Any]]) -> Cursor:
        """Run a statement for each row of bindings."""
        ...

    def pragma(self, name: str, value: Any = ...) -> Any:
        """Read or set a pragma."""
        ...

    def changes(self) -> int:
        """Rows changed by the last statement."""
        ...

    def total_changes(self) -> int:
        """Rows changed since the connection was opened."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...

    def __enter__(self) -> Self:
        """Begin a savepoint."""
        ...

    def __exit__(self, *error: object) -> bool | None:
        """Commit it, or roll it back on an error."""
        ...


class MigrationError(RuntimeError):
    """The file was written by a newer rynek, or is no database of ours."""


def connect(path: Path, *, read_only: bool = False, cache_kib: int = _PAGE_CACHE_KIB) -> Connection:
    """Open `path` in WAL mode with synchronous=FULL; checkpoints are the caller's business."""
    flags = (
        apsw.SQLITE_OPEN_READONLY
        if read_only
        else (apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    )
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=256)
    connection.set_busy_timeout(10_000)
    if not read_only:
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "FULL")
        # A checkpoint inside a commit would stall whoever waits for that commit.
        connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("mmap_size", _MMAP_BYTES)
    connection.pragma("temp_store", "memory")
    return cast("Connection", connection)


def migrate(connection: Connection, steps: Sequence[str], what: str) -> None:
    """Bring the schema to version len(steps): step i (SQL) leads from version i to i + 1.

    All missing steps run in one transaction. MigrationError when the file is newer than `steps`.
    """
    version = int(connection.pragma("user_version"))
    if version > len(steps):
        raise MigrationError(
            f"{what} has format {version}, this rynek knows up to {len(steps)}: "
            "start a newer rynek on this data folder"
        )
    if version == len(steps):
        return
    with connection:
        for step in steps[version:]:
            connection.execute(step)
        connection.pragma("user_version", len(steps))


def checkpoint(connection: Connection, *, truncate: bool = False) -> tuple[int, int]:
    """Copy the log back into the file as far as readers allow: (frames in log, frames copied)."""
    mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
    return cast("apsw.Connection", connection).wal_checkpoint(mode=mode)


def database_fault(error: BaseException) -> str:
    """What a failure of SQLite means: `full`, `read-only`, `damaged`, `disk` (it reports errors),
    or nothing of these."""
    if isinstance(error, apsw.FullError):
        return "full"
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return "read-only"
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return "damaged"
    return "disk" if isinstance(error, apsw.IOError) else ""
