"""SQLite connections and migrations: the one place that opens a database file."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, Self, cast

import apsw

_PAGE_CACHE_KIB = 65_536
# More than any file has: what is mapped takes none of the process's own memory.
_MMAP_BYTES = 1 << 38
_ASIDE = ".v"
_MAX_ASIDE_BYTES = 1 << 29
# Of all connections together: above it their caches use pages again instead of growing.
_HEAP_BYTES = 768 << 20


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

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun and not ended."""
        ...

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
    apsw.soft_heap_limit(_HEAP_BYTES)
    connection.set_busy_timeout(10_000)
    if not read_only:
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "FULL")
        # A checkpoint inside a commit would stall whoever waits for that commit.
        connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("mmap_size", _MMAP_BYTES)
    connection.pragma("temp_store", "memory")
    # Without this SQLite prepares a statement anew whenever a parameter of its conditions changes,
    # to look at statistics that are never gathered here.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return cast("Connection", connection)


def connect_memory() -> Connection:
    """A database of its own in memory, gone when it is closed: for sorting."""
    return cast("Connection", apsw.Connection(":memory:"))


def migrate(connection: Connection, steps: Sequence[str], what: str) -> None:
    """Bring the schema to version len(steps): step i (SQL) leads from version i to i + 1.

    All missing steps run in one transaction. MigrationError when the file is newer than `steps`.
    """
    if _version(connection, steps, what) == len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it since, one of a newer rynek too.
        for step in steps[_version(connection, steps, what) :]:
            connection.execute(step)
        connection.pragma("user_version", len(steps))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: Connection, steps: Sequence[str], what: str) -> int:
    version = int(connection.pragma("user_version"))
    if version > len(steps):
        raise MigrationError(
            f"{what} has format {version}, this rynek knows up to {len(steps)}: "
            "start a newer rynek on this data folder"
        )
    return version


def set_aside(connection: Connection, path: Path, steps: Sequence[str]) -> Path | None:
    """Before `migrate`: a copy of an older database beside it, as `state.db.v4`, and only one.

    None where nothing is to be migrated, where it is large, or where the disk has no room for it:
    the migration is one transaction, the copy is for going back to the older rynek.
    """
    version = int(connection.pragma("user_version"))
    if not 0 < version < len(steps):
        return None
    copy = path.with_name(f"{path.name}{_ASIDE}{version}")
    size = path.stat().st_size
    if size > _MAX_ASIDE_BYTES or shutil.disk_usage(path.parent).free < 4 * size:
        return None
    if not copy.exists():
        draft = copy.with_name(f".{copy.name}.part")
        draft.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(draft),))
        for older in path.parent.glob(f"{path.name}{_ASIDE}*"):
            older.unlink()
        draft.replace(copy)
    return copy


def is_set_aside(name: str) -> bool:
    """Whether a file of that name is a copy that `set_aside` made."""
    base, found, version = name.rpartition(_ASIDE)
    return bool(found) and base.endswith(".db") and version.isdigit()


def stored_version(path: Path) -> int:
    """The format of a database; 0 where it cannot be told."""
    try:
        connection = connect(path, read_only=True)
        try:
            return int(connection.pragma("user_version"))
        finally:
            connection.close()
    except apsw.Error:
        return 0


Busy: Final = apsw.BusyError
"""Another connection holds what is needed."""


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
