"""What a failing disk means for who asked: a full one, one that may not be written, a damaged file."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from .errors import Damaged, InsufficientStorage, Problem, Unavailable
from .sqlite import database_fault

_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_FORBIDDEN: Final = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))
_LEAST_ROOM: Final = 32 * 1024
_FULL_ADVICE: Final = (
    "the disk with the data folder is full (or its quota is): nothing of this was kept. Make room"
    " there and send it again; reading goes on meanwhile"
)
_READ_ONLY_ADVICE: Final = (
    "the data folder cannot be written: nothing of this was kept. Mount it for writing, or give it"
    " back to the user that rynek runs as, and send it again; reading goes on meanwhile"
)
_DISK_ADVICE: Final = (
    "the disk with the data folder fails ({}): nothing of this was kept. The system's log"
    " (journalctl -k) says more; reading goes on as far as it can"
)
_DAMAGED_ADVICE: Final = (
    "{} is damaged ({}): what stands in its damaged part cannot be read or written."
    " rynek doctor --deep says how much is wrong; restore a backup"
)


class ReadOnly(Unavailable):
    """The data folder may not be written."""

    title = "The data folder cannot be written"


def storage_problem(error: BaseException, path: Path | str = "") -> Problem | None:
    """The problem to answer with when `error` is the storage's; None when it is not.

    `path` names the file where the error itself does not.
    """
    found = database_fault(error)
    if found == "damaged":
        return Damaged(_DAMAGED_ADVICE.format(shown(path) if path else "a database", error))
    if found == "full" or _is(error, _FULL, "No space left on device", "Disk quota exceeded"):
        return InsufficientStorage(_FULL_ADVICE)
    if found == "read-only" or _is(error, _FORBIDDEN, "Read-only file system", "Permission denied"):
        return ReadOnly(_READ_ONLY_ADVICE)
    if found == "disk":
        at_fault = _cause(path)
        return at_fault or Unavailable(_DISK_ADVICE.format(error))
    if isinstance(error, OSError) and error.errno == errno.EIO:
        return Unavailable(_DISK_ADVICE.format(error.strerror))
    return None


def shown(path: Path | str) -> str:
    """A file as clients are told of it: from the folder of the tenants on."""
    parts = Path(path).parts
    at = len(parts) - 1 - parts[::-1].index("tenants") if "tenants" in parts else len(parts) - 1
    return str(Path(*parts[at:]))


def _is(error: BaseException, numbers: frozenset[int], *texts: str) -> bool:
    """Whether a library's error is one of these of the system; some only say it in words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in numbers
    if isinstance(error, OSError) or type(error).__name__ in ("DeltaError", "IOException"):
        return any(text in str(error) for text in texts)
    return False


def _cause(path: Path | str) -> Problem | None:
    """SQLite says "disk I/O error" of a disk that turned read-only under an open file, and of a
    full one on which it finds no room for the file that it makes beside the database to read it."""
    if not str(path):
        return None  # nobody named the disk: of another one nothing is to be said
    path = Path(path)
    try:
        folder = path if path.is_dir() else path.parent
    except OSError:  # a disk that fails may not even say what is there
        folder = path.parent
    if write_fault(folder):
        return ReadOnly(_READ_ONLY_ADVICE)
    return InsufficientStorage(_FULL_ADVICE) if is_full(folder) else None


def write_fault(folder: Path | str) -> OSError | None:
    """Why nothing can be written into a folder; None where it can, or where only a try would tell.

    A file is made that has no name and is gone when it is closed: a file system that turned
    read-only after an error of its disk says so only then (newer kernels list it as "rw").
    """
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600))
    except OSError as error:
        return error if error.errno in _FORBIDDEN else None
    return None


def is_full(folder: Path | str) -> bool:
    """Whether there is no room in a folder for what SQLite makes beside a database to read it.

    Tried with a file that has no name: a quota says so only then.
    """
    try:
        file = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except OSError as error:
        return error.errno in _FULL
    try:
        return os.write(file, bytes(_LEAST_ROOM)) < _LEAST_ROOM
    except OSError as error:
        return error.errno in _FULL
    finally:
        os.close(file)


__all__ = ["ReadOnly", "is_full", "shown", "storage_problem", "write_fault"]
