"""The tar of a backup: plain files, each with its sum; databases as consistent copies."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from rynek.base.sqlite import Connection, connect, database_fault
from rynek.base.storage import is_full


class BackupError(RuntimeError):
    """The backup could not be made or used; the message says what to do."""


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Archive:
    """A tar of plain files, readable by its owner alone; `sizes` and `sums` tell what is in it."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.sizes: dict[str, int] = {}
        self.sums: dict[str, str] = {}

    def add(self, path: Path, name: Path) -> None:
        """The contents of `path`, where it is a link of the file it leads to.

        tarfile's own `add` stores a file as a link to an earlier one of the same inode number, and
        numbers of files that are gone, as temporary copies soon are, are given out again.
        """
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            self._put(str(name), status.st_size, int(status.st_mtime), file)

    def add_bytes(self, content: bytes, name: str) -> None:
        """A file that is nowhere else."""
        self._put(name, len(content), int(time.time()), io.BytesIO(content))

    def _put(self, name: str, size: int, modified: int, content: IO[bytes]) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, modified, 0o600
        summing = Summing(content)
        self._tar.addfile(info, cast("IO[bytes]", summing))
        self.sizes[name] = size
        self.sums[name] = summing.sum


class Summing:
    """A file that is read once, and the SHA-256 of what was read of it."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self._digest = hashlib.sha256()

    @property
    def sum(self) -> str:
        return self._digest.hexdigest()

    def read(self, size: int = -1) -> bytes:
        found = self._content.read(size)
        self._digest.update(found)
        return found


def verify(draft: Path, sizes: dict[str, int]) -> None:
    """Read the archive again: each file put in is there once, as a plain file of its size."""
    left = dict(sizes)
    with tarfile.open(draft, "r:") as tar:
        for member in tar:
            if member.type != tarfile.REGTYPE or left.pop(member.name, None) != member.size:
                raise BackupError(f"{draft}: {member.name!r} was not written as it should be")
    if left:
        raise BackupError(f"{draft}: {next(iter(left))!r} was not written")


def copied(source: Path, target: Path) -> Path:
    """A consistent copy of a database that others may be writing."""
    try:
        with _opened(source, target.parent) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    except Exception as error:
        fault = database_fault(error)
        if fault == "damaged":
            raise BackupError(f"{source} is damaged: {error}; rynek doctor says more") from error
        if fault == "full" or (fault and is_full(target.parent)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        if fault:
            raise BackupError(f"{source} cannot be read: {error}; see journalctl -k") from error
        raise
    return target


@contextlib.contextmanager
def _opened(source: Path, room: Path) -> Iterator[Connection]:
    """A database to read from, where it stands or, where that cannot be, from a copy in `room`.

    SQLite makes a file beside a database even to read it: nothing comes of that on a full or a
    read-only disk, just where a backup is wanted most. There nobody writes either; that nobody did
    is looked at nevertheless.
    """
    with contextlib.ExitStack() as stack:
        try:
            connection = connect(source, read_only=True)
        except Exception as error:
            if not database_fault(error) or database_fault(error) == "damaged":
                raise
            aside = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=room)))
            connection = connect(_with_log(source, aside), read_only=True)
        stack.callback(connection.close)
        yield connection


def _with_log(source: Path, room: Path) -> Path:
    """The files of a database, copied as they are: itself and what its write-ahead log holds."""
    parts = [path for end in ("", "-wal") if (path := Path(f"{source}{end}")).exists()]
    before = [(path.stat().st_mtime_ns, path.stat().st_size) for path in parts]
    for path in parts:
        shutil.copyfile(path, room / path.name)
    if before != [(path.stat().st_mtime_ns, path.stat().st_size) for path in parts]:
        raise BackupError(f"{source} was written meanwhile; try again")
    return room / source.name
