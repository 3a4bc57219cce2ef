"""The data folder: its version, and the lock that keeps a second server out of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from functools import cached_property
from pathlib import Path
from typing import IO, Final

FORMAT: Final = 1
_VERSION_FILE: Final = "format"
_LOCK_FILE: Final = "lock"
_IDENTITY_FILE: Final = "identity"
_IDENTITY: Final = re.compile(r"[0-9a-f]{16}")


class FolderError(RuntimeError):
    """The data folder cannot be used; the message says what to do."""


class DataFolder:
    """One folder that holds everything; `open` takes its lock until `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    @property
    def tenants(self) -> Path:
        """The folder of the tenants' folders."""
        return self.path / "tenants"

    def open(self) -> None:
        """Make the folder if needed, take the lock, check the version.

        FolderError when another process serves it, it is not writable, or it is of a newer rynek.
        """
        try:
            make_private(self.path)
            self.tenants.mkdir(exist_ok=True)
            self._lock = (self.path / _LOCK_FILE).open("a+")
        except OSError as error:
            raise FolderError(
                f"{self.path}: {error.strerror}: rynek must be able to write there. Mount it for"
                f" writing, give it to this user (chown -R {os.getuid()} {self.path}), or"
                " choose another folder with --data"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = self._holder()
            self.close()
            raise FolderError(
                f"{self.path} is in use by another rynek{holder}: stop it, or use another --data"
            ) from None
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        self._check_version()

    def _holder(self) -> str:
        assert self._lock is not None
        self._lock.seek(0)
        pid = self._lock.read(32).strip()
        return f" (process {pid})" if pid.isdigit() else ""

    def _check_version(self) -> None:
        file = self.path / _VERSION_FILE
        try:
            found = int(file.read_text().strip())
        except FileNotFoundError:
            write_atomically(file, f"{FORMAT}\n".encode())
            return
        except ValueError:
            raise FolderError(f"{file} is damaged: it should hold {FORMAT}") from None
        if found > FORMAT:
            raise FolderError(
                f"{self.path} has format {found}, this rynek knows up to {FORMAT}:"
                " start a newer rynek on it"
            )

    @cached_property
    def identity(self) -> str:
        """16 random hexadecimal digits, made once: what tells this folder from all others."""
        file = self.path / _IDENTITY_FILE
        with contextlib.suppress(FileNotFoundError):
            found = file.read_text(encoding="ascii", errors="replace").strip()
            if _IDENTITY.fullmatch(found):
                return found
        made = secrets.token_hex(8)
        write_atomically(file, f"{made}\n".encode())
        return made

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def make_private(path: Path) -> None:
    """Make a folder that only its owner may enter; one that is there stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, durably and never half-written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames in `path` durable where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
