"""Reference tables as Parquet files, `<root>/<group>/<version>/<table>.parquet`."""

from __future__ import annotations

import os
import re
import shutil
import threading
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from .files import fsync_file, fsync_folder

if TYPE_CHECKING:
    import pyarrow as pa

_CURRENT = "CURRENT"
_TABLE = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")


class ParquetReference:
    """A ReferenceStore: a version becomes visible by one atomic rename, and stays after a crash.

    `<group>/CURRENT` names the newest version's folder; older ones are deleted afterwards.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()

    def put(self, group: str, version: str, tables: dict[str, pa.Table]) -> None:
        """Store `tables` as the newest version of `group`; the same version again is a no-op."""
        import pyarrow.parquet as pq

        for name in tables:
            if not _TABLE.match(name) or name.startswith("."):
                raise ValueError(f"not a table name: {name[:64]!r}")
        with self._lock:
            if self.version(group) == version:
                return
            folder = self._group(group)
            folder.mkdir(parents=True, exist_ok=True)
            fresh = folder / f".new-{token_hex(8)}"
            fresh.mkdir()
            for name, table in tables.items():
                path = fresh / f"{name}.parquet"
                pq.write_table(table, path, compression="zstd", row_group_size=65_536)
                fsync_file(path)
            fsync_folder(fresh)
            final = folder / _name(version)
            if final.exists():
                shutil.rmtree(final)
            fresh.rename(final)
            self._point(folder, final.name)
            self._sweep(folder, final.name)

    def _point(self, folder: Path, name: str) -> None:
        pointer = folder / f".{_CURRENT}-{token_hex(8)}"
        with pointer.open("w", encoding="utf-8") as out:
            out.write(name)
            out.flush()
            os.fsync(out.fileno())
        pointer.replace(folder / _CURRENT)
        fsync_folder(folder)
        fsync_folder(self._root)

    def _sweep(self, folder: Path, keep: str) -> None:
        for old in folder.iterdir():
            if old.is_dir() and old.name != keep:
                shutil.rmtree(old, ignore_errors=True)
            elif old.name.startswith(f".{_CURRENT}-"):
                old.unlink(missing_ok=True)

    def groups(self) -> list[str]:
        """The groups that have a version."""
        if not self._root.is_dir():
            return []
        found = (
            unquote(one.name[1:]) for one in self._root.iterdir() if (one / _CURRENT).is_file()
        )
        return sorted(found)

    def version(self, group: str) -> str | None:
        """The newest version of `group`; None when there is none."""
        current = self._current(group)
        return None if current is None else unquote(current.name[1:])

    def get(self, group: str, table: str, columns: list[str] | None = None) -> pa.Table:
        """One table of the newest version; KeyError when there is none."""
        import pyarrow.parquet as pq

        with self._lock:
            current = self._current(group)
            path = None if current is None else current / f"{table}.parquet"
            if path is None or not _TABLE.match(table) or not path.exists():
                raise KeyError(f"{group}/{table}")
            return pq.read_table(path, columns=columns, partitioning=None)

    def _current(self, group: str) -> Path | None:
        folder = self._group(group)
        try:
            name = (folder / _CURRENT).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return folder / name

    def _group(self, group: str) -> Path:
        return self._root / _name(group)


def _name(text: str) -> str:
    """A folder name that cannot leave its parent: encoded, never empty, `.` or `..`."""
    name = "v" + quote(text, safe="")
    if len(name) > 200:
        raise ValueError(f"too long a name: {text[:64]!r}…")
    return name
