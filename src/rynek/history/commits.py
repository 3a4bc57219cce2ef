"""The Delta log as files: commits that are on disk for certain, and what a power cut tore.

A commit file that is empty is passed over by readers without a word, and one that cannot be read
stops them all: both are looked for before the table is opened.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any, Final

from rynek.base.folder import write_atomically

from .files import fsync_file, fsync_folder

FOLDER: Final = "_delta_log"
LAST: Final = "_last_checkpoint"
EVERY: Final = 50
"""A checkpoint after so many commits."""
_COMMIT: Final = re.compile(r"(\d{20})\.json\Z")
_CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint\.parquet\Z")


def commit_file(table: Path, version: int) -> Path:
    """The file of one commit."""
    return table / FOLDER / f"{version:020d}.json"


def commits(table: Path) -> dict[int, Path]:
    """The commit files that are there, by version, ascending."""
    return _numbered(table, _COMMIT)


def checkpoints(table: Path) -> dict[int, Path]:
    """The checkpoints that are there, by version, ascending."""
    return _numbered(table, _CHECKPOINT)


def _numbered(table: Path, pattern: re.Pattern[str]) -> dict[int, Path]:
    folder = table / FOLDER
    found = ((pattern.match(path.name), path) for path in folder.glob("*") if folder.is_dir())
    return dict(sorted((int(match[1]), path) for match, path in found if match is not None))


def actions(path: Path) -> list[dict[str, Any]]:
    """What one commit says; ValueError when it cannot be read, or is empty."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    if not lines or not all(isinstance(line, dict) and line for line in lines):
        raise ValueError("it is empty, or holds no actions")
    return lines


def checkpoint_fault(path: Path) -> str:
    """What is wrong with a checkpoint; empty when it can be read."""
    import pyarrow.parquet as pq

    try:
        pq.read_table(path, columns=["protocol"])
    except Exception as error:
        return " ".join(str(error).split())[:300] or type(error).__name__
    return ""


def sync(table: Path, first: int, last: int, *, again: bool) -> None:
    """Make the commits of versions `first` to `last` durable, in order.

    `again`: a sync failed before. The system may then have dropped what it could not write while
    it says that all is well, so the files are written anew.
    """
    for version in range(first, last + 1):
        path = commit_file(table, version)
        if again:
            write_atomically(path, path.read_bytes())
        else:
            fsync_file(path)
    fsync_folder(table / FOLDER)


def sync_checkpoint(table: Path, version: int) -> None:
    """Make a checkpoint, and the word that it is there, durable."""
    folder = table / FOLDER
    fsync_file(folder / f"{version:020d}.checkpoint.parquet")
    fsync_file(folder / LAST)
    fsync_folder(folder)


def last_checkpoint(table: Path) -> int:
    """The version of the newest checkpoint; -1 without one."""
    return max(checkpoints(table), default=-1)


def drop_drafts(table: Path) -> None:
    """Remove what was being written when a process ended."""
    for path in (table / FOLDER).glob("*#*"):
        path.unlink()


def mend(table: Path, aside: Path) -> list[str]:
    """Put out of the way what a power cut can leave: newest commits that cannot be read, and a
    checkpoint that cannot, where commits reach back without it. What was done, in words; the files
    are kept in the folder `aside`."""
    if not (table / FOLDER).is_dir():
        return []
    drop_drafts(table)
    return _torn_commits(table, aside) + _torn_checkpoints(table, aside)


def _torn_commits(table: Path, aside: Path) -> list[str]:
    told = []
    for path in reversed(commits(table).values()):
        try:
            actions(path)
        except ValueError as error:
            put_aside(path, aside)
            told.append(f"the commit {path.name} was torn ({error}) and is left out")
        else:
            break
    return told


def _torn_checkpoints(table: Path, aside: Path) -> list[str]:
    told = []
    held = commits(table)
    for version, path in reversed(checkpoints(table).items()):
        fault = checkpoint_fault(path)
        if not fault:
            break
        below = max((v for v in checkpoints(table) if v < version), default=-1)
        if not all(v in held for v in range(below + 1, version + 1)):
            break  # nothing says what the table was: the reader will say that
        put_aside(path, aside)
        told.append(f"the checkpoint {path.name} was damaged ({fault}) and is made again")
    last = table / FOLDER / LAST
    if last.exists() and not _points_well(table, last):
        last.unlink()
    return told


def _points_well(table: Path, last: Path) -> bool:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return int(json.loads(last.read_bytes())["version"]) in checkpoints(table)
    return False


def fault(table: Path) -> tuple[Path, str] | None:
    """The first commit after the newest checkpoint that is missing or cannot be read, and why."""
    held = commits(table)
    first = last_checkpoint(table) + 1
    for version in range(first, max(held, default=first - 1) + 1):
        path = commit_file(table, version)
        try:
            actions(path)
        except FileNotFoundError:
            return path, "it is missing"
        except ValueError as error:
            return path, str(error)
    return None


def put_aside(path: Path, aside: Path) -> Path:
    """Move a file of the table to the folder `aside`; where it is now."""
    aside.mkdir(exist_ok=True)
    target = aside / path.name
    number = 0
    while target.exists():
        number += 1
        target = aside / f"{path.name}.{number}"
    path.rename(target)
    fsync_folder(aside)
    fsync_folder(path.parent)
    return target
