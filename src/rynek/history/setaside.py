"""Readings that cannot be written, kept beside the table so that they hold up no others."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from rynek.context import Change

from .files import fsync_folder, rehearse
from .schema import Reading, to_table

FILE: Final = "set-aside.jsonl"
Key = tuple[int, str, str]


class SetAside:
    """`<history>/set-aside.jsonl`: a line a reading (or whole change), with why it is there.

    A line is on disk before the reading counts as dealt with; what comes again after a crash is
    known by its number and written once.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._known: set[Key] | None = None

    def __len__(self) -> int:
        return len(self._keys())

    def rows(self, bad: Sequence[tuple[Reading, str]]) -> None:
        """Keep readings, each with its fault."""
        self._write([
            ((row.seq, row.attr, row.dataset_id or ""), fault, msgspec.structs.asdict(row))
            for row, fault in bad
        ])  # fmt: skip

    def change(self, change: Change, fault: str) -> None:
        """Keep a change of which no readings can be made."""
        self._write([((change.seq, "", ""), fault, {"change": repr(change)})])

    def _write(self, found: list[tuple[Key, str, dict[str, Any]]]) -> None:
        known = self._keys()
        lines = [
            json.dumps({"key": key, "fault": fault, "reading": what}, default=repr) + "\n"
            for key, fault, what in found
            if key not in known
        ]
        if not lines:
            return
        fresh = not self.path.exists()
        with self.path.open("a+b") as out:
            # What a crash or a full disk cut off stays a line of its own.
            if out.tell() and (out.seek(-1, os.SEEK_END), out.read(1))[1] != b"\n":
                out.write(b"\n")
            out.writelines(line.encode("ascii") for line in lines)
            out.flush()
            os.fsync(out.fileno())
        if fresh:
            fsync_folder(self.path.parent)
        known.update(key for key, _, _ in found)

    def _keys(self) -> set[Key]:
        if self._known is None:
            self._known = read_keys(self.path)
        return self._known


def read_keys(path: Path) -> set[Key]:
    """The keys of what was set aside; a line that a crash cut is passed over."""
    found: set[Key] = set()
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        try:
            seq, attr, dataset = json.loads(line)["key"]
        except (ValueError, KeyError, TypeError):
            continue
        found.add((int(seq), str(attr), str(dataset)))
    return found


def unwritable(rows: Sequence[Reading]) -> list[tuple[Reading, str]]:
    """The rows that no file can hold, each with why: found by halving, nothing touches the disk."""
    try:
        rehearse(to_table(list(rows)))
    except Exception as error:
        if len(rows) == 1:
            return [(rows[0], f"{type(error).__name__}: {error}")]
    else:
        return []
    middle = len(rows) // 2
    return unwritable(rows[:middle]) + unwritable(rows[middle:])


def count_set_aside(history: Path) -> tuple[int, int]:
    """How many readings, and how many files of the table, are put aside in a history folder."""
    folder = history / "set-aside"
    files = sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0
    return len(read_keys(history / FILE)), files
