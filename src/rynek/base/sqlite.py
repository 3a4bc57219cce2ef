"""SQLite connections and migrations: the one place that opens a database file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw

Connection = apsw.Connection

_PAGE_CACHE_KIB = 65_536
_MMAP_BYTES = 1 << 30


class MigrationError(RuntimeError):
    """The file was written by a newer rynek, or is no database of ours."""


def connect(path: Path, *, read_only: bool = False, cache_kib: int = _PAGE_CACHE_KIB) -> Connection:
    """Open `path` in WAL mode with synchronous=FULL; checkpoints are the caller's business."""
    flags = apsw.SQLITE_OPEN_READONLY if read_only else (
        apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
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
    return connection


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
    return connection.wal_checkpoint(mode=mode)


def is_out_of_space(error: BaseException) -> bool:
    """Whether SQLite failed because the disk (or a quota) is full or not writable."""
    return isinstance(error, apsw.FullError | apsw.IOError | apsw.ReadOnlyError)
