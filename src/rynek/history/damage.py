"""Which files of the table cannot be read: found when something fails on them, or all looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from rynek.base.errors import Damaged, Problem
from rynek.base.storage import shown, storage_problem

from .files import Part
from .lake import REPAIR

T = TypeVar("T")
_READ_WHOLE: Final = 200
"""So many files are read to their end in search of the one that a question failed on."""


def told_of(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def shallow_fault(folder: Path, part: Part) -> str:
    """What is wrong with a file as far as its size and footer tell; empty for nothing."""
    import pyarrow.parquet as pq

    path = folder / part.path
    try:
        size = path.stat().st_size
        if size != part.size:
            return f"it has {size} bytes and should have {part.size}"
        rows = pq.read_metadata(path).num_rows
    except FileNotFoundError:
        return "it is missing"
    except Exception as error:
        return told_of(error)
    return "" if rows == part.rows else f"it has {rows} rows and should have {part.rows}"


def deep_fault(folder: Path, part: Part) -> str:
    """What is wrong with a file, every page of it read and compared with its checksum."""
    import pyarrow.parquet as pq

    told = shallow_fault(folder, part)
    if told:
        return told
    try:
        with pq.ParquetFile(folder / part.path, page_checksum_verification=True) as file:
            for batch in file.iter_batches():
                batch.validate(full=True)
    except Exception as error:
        return told_of(error)
    return ""


class Damage:
    """The files of one table that are known to be damaged, each with its fault."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        # Replaced with every change, under the lock: others read it while a thread looks at files.
        self._known: dict[str, tuple[str, tuple[int, int]]] = {}

    @property
    def files(self) -> dict[str, str]:
        """Path in the table → fault."""
        return {path: fault for path, (fault, _) in self._known.items()}

    def sound(self, parts: Iterable[Part]) -> list[Part]:
        """The files that are not known to be damaged."""
        known = self._known
        return [part for part in parts if part.path not in known]

    def look(self, parts: Sequence[Part]) -> list[str]:
        """Which of the files are damaged, after reading some of them failed."""
        with self._lock:
            found = [part.path for part in parts if self._is_known(part)]
            if not found:
                found = self._look(parts, shallow_fault)
            if not found:
                found = self._look(parts[:_READ_WHOLE], deep_fault)
        return found

    def _look(self, parts: Sequence[Part], fault: Callable[[Path, Part], str]) -> list[str]:
        found = []
        for part in parts:
            told = fault(self._folder, part)
            if told:
                self._known = {**self._known, part.path: (told, self._stamp(part))}
                found.append(part.path)
        return found

    def _is_known(self, part: Part) -> bool:
        known = self._known.get(part.path)
        if known is not None and known[1] != self._stamp(part):
            # Put back from a backup, it may be whole again.
            self._known = {path: one for path, one in self._known.items() if path != part.path}
            return False
        return known is not None

    def _stamp(self, part: Part) -> tuple[int, int]:
        try:
            status = (self._folder / part.path).stat()
        except OSError:
            return (0, 0)
        return (status.st_mtime_ns, status.st_size)

    def guarded(self, work: Callable[[], T], parts: Callable[[], Sequence[Part]]) -> T:
        """What `work` gives; Damaged names the file when it fails on one."""
        try:
            return work()
        except Problem:
            raise
        except Exception as error:
            found = self.look(parts()) if _may_be_damage(error) else []
            if found:
                path = self._folder / found[0]
                more = f" (and {len(found) - 1} more files)" if len(found) > 1 else ""
                fault = self.files.get(found[0]) or told_of(error)
                told = f"{shown(path)}{more}: {fault}; {REPAIR}"
                raise Damaged(told) from error
            problem = storage_problem(error, self._folder)
            if problem is not None:
                raise problem from error
            raise


def _may_be_damage(error: Exception) -> bool:
    names = {base.__module__.split(".")[0] for base in type(error).__mro__}
    return isinstance(error, OSError) or bool(names & {"duckdb", "_duckdb", "pyarrow"})
