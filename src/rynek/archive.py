"""The tar of a backup: plain files, each with its sum."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
from pathlib import Path
from typing import IO, cast


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
