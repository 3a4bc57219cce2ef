"""A damaged history: what is wrong with it, and what can be put right while nobody serves it.

Nothing is thrown away: what cannot be read is moved to `<history>/set-aside`, the table goes on
without it, and what the change log still has of it is written again.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rynek.base.folder import write_atomically
from rynek.base.sqlite import Connection, connect, database_fault, migrate
from rynek.context import Change

from . import commits
from .damage import deep_fault, shallow_fault
from .decode import Run, SeriesKey, readings
from .files import Part, to_parts
from .lake import FOLLOWER, Lake
from .overlay import FILE as OVERLAY_FILE
from .overlay import MIGRATIONS
from .schema import Reading, to_table

if TYPE_CHECKING:
    import pyarrow as pa

TABLE: Final = "readings"
_CHUNK: Final = 100_000
Progress = Callable[[str], None]
Key = tuple[int, str, str, str]


class Fault(msgspec.Struct, frozen=True):
    """A file of the history folder and what is wrong with it."""

    path: Path
    what: str


class Repaired(msgspec.Struct):
    """What a repair did, in lines for people; `rows_gone` stood in files that cannot be read, an
    unknown number in `commits_gone`; `rows_back` came back from the change log."""

    told: list[str] = []
    rows_gone: int = 0
    commits_gone: int = 0
    rows_back: int = 0


class _Lost(msgspec.Struct):
    """What readings are missing: those of files, and those of changes (first, last]."""

    parts: list[Part] = []
    changes: list[tuple[int, int]] = []

    def has(self, row: Reading) -> bool:
        return any(first < row.seq <= last for first, last in self.changes) or any(
            part.min_time <= row.time <= part.max_time
            and part.min_entity <= row.entity_id <= part.max_entity
            for part in self.parts
        )


def faults(history: Path, *, deep: bool = False, progress: Progress | None = None) -> list[Fault]:
    """What is wrong with the table in a history folder; `deep` reads every file to its end.

    A service may be running on it.
    """
    table = history / TABLE
    if not (table / commits.FOLDER).is_dir():
        return []
    found = [Fault(path, what) for path, what in _log_faults(table)]
    if found:
        return found
    parts = _parts(table)
    look = deep_fault if deep else shallow_fault
    for number, part in enumerate(parts, 1):
        if progress is not None:
            progress(f"history: file {number} of {len(parts)}")
        fault = look(table, part)
        if (fault and (table / part.path).exists()) or (fault and _is_current(table, part)):
            found.append(Fault(table / part.path, fault))
    return found


def _is_current(table: Path, part: Part) -> bool:
    """Whether a file that is gone should be there: a service may have merged it meanwhile."""
    return any(one.path == part.path for one in _parts(table))


def _parts(table: Path) -> list[Part]:
    from deltalake import DeltaTable

    return to_parts(DeltaTable(table).get_add_actions(flatten=True))


def _log_faults(table: Path) -> Iterable[tuple[Path, str]]:
    newest = max(commits.checkpoints(table).items(), default=None)
    if newest is not None and (told := commits.checkpoint_fault(newest[1])):
        yield newest[1], told
    found = commits.fault(table)
    if found is not None:
        yield found


def repair(history: Path, changes: Iterable[Change], progress: Progress | None = None) -> Repaired:
    """Put a damaged history right; `changes` is the whole log, ascending. Nobody may serve it."""
    done = Repaired()
    told = progress or (lambda _: None)
    lost = _Lost()
    table, aside = history / TABLE, history / "set-aside"
    if (table / commits.FOLDER).is_dir():
        done.told += commits.mend(table, aside)
        _fill_gaps(table, aside, lost, done)
        lake = Lake(table)
        lake.open()
        _drop(lake, aside, lost, done, told)
        if lost.parts or lost.changes:
            told("history: writing again what the change log has")
            _rebuild(lake, changes, lost, done)
        lake.checkpoint()
    if (history / OVERLAY_FILE).exists():
        done.told += _overlay(history / OVERLAY_FILE, aside)
    return done


def _fill_gaps(table: Path, aside: Path, lost: _Lost, done: Repaired) -> None:
    """Put empty commits in the place of those that are missing or cannot be read."""
    while (found := commits.fault(table)) is not None:
        path, what = found
        if path.exists():
            commits.put_aside(path, aside)
        done.commits_gone += 1
        lost.changes.append(_changes_of(table, int(path.name.split(".")[0])))
        note = {"timestamp": time.time_ns() // 1_000_000, "operation": "REPAIR"}
        write_atomically(path, json.dumps({"commitInfo": note}).encode() + b"\n")
        done.told.append(f"the commit {path.name} ({what}) is replaced by an empty one")


def _changes_of(table: Path, version: int) -> tuple[int, int]:
    """The changes that a lost commit may have brought: between those of its neighbours."""
    marks = {}
    for number, path in commits.commits(table).items():
        try:
            marks[number] = _mark(commits.actions(path))
        except ValueError:
            continue
    below = [mark for number, mark in sorted(marks.items()) if number < version and mark]
    above = [mark for number, mark in sorted(marks.items()) if number > version and mark]
    return (below[-1] if below else 0, above[0] if above else 1 << 61)


def _mark(actions: list[dict[str, Any]]) -> int:
    """The change up to which a commit says that the table holds the log; 0 where it does not say."""
    found = [
        int(action["txn"]["version"])
        for action in actions
        if action.get("txn", {}).get("appId") == FOLLOWER
    ]
    return found[-1] if found else 0


def _drop(lake: Lake, aside: Path, lost: _Lost, done: Repaired, told: Progress) -> None:
    """Take files that cannot be read out of the table."""
    parts = lake.snapshot.parts()
    for number, part in enumerate(parts, 1):
        told(f"history: file {number} of {len(parts)}")
        fault = deep_fault(lake.folder, part)
        if fault:
            lost.parts.append(part)
            done.rows_gone += part.rows
            done.told.append(f"{part.path} ({fault}; {part.rows} readings) left the table")
    if lost.parts:
        lake.drop(lost.parts)
        for part in lost.parts:
            if (lake.folder / part.path).exists():
                commits.put_aside(lake.folder / part.path, aside)


def _rebuild(lake: Lake, changes: Iterable[Change], lost: _Lost, done: Repaired) -> None:
    """Write again what the log has of the lost readings and the table has not."""
    runs: dict[SeriesKey, Run] = {}
    held = _keys(lake, lost)
    rows: list[Reading] = []
    for change in changes:
        if change.seq > lake.snapshot.seq:
            break
        for row in readings(change, runs):
            key = (row.seq, row.entity_id, row.attr, row.dataset_id or "")
            if lost.has(row) and key not in held:
                rows.append(row)
        if len(rows) >= _CHUNK:
            done.rows_back += _written(lake, rows)
            rows = []
    done.rows_back += _written(lake, rows)


def _written(lake: Lake, rows: list[Reading]) -> int:
    if rows:
        lake.append(to_table(rows), {})
    return len(rows)


def _keys(lake: Lake, lost: _Lost) -> set[Key]:
    """The keys of the table's readings from the log that may be among the lost."""
    import pyarrow.parquet as pq

    found: set[Key] = set()
    for part in lake.snapshot.parts():
        if lost.changes or any(_overlaps(part, one) for one in lost.parts):
            columns = ["seq", "entity_id", "attr", "dataset_id"]
            table = pq.read_table(lake.folder / part.path, columns=columns, partitioning=None)
            found.update(_as_keys(table))
    return found


def _overlaps(part: Part, other: Part) -> bool:
    return part.min_time <= other.max_time and part.max_time >= other.min_time


def _as_keys(table: pa.Table) -> Iterable[Key]:
    columns = [column.to_pylist() for column in table.columns]
    for seq, entity_id, attr, dataset in zip(*columns, strict=True):
        yield seq, entity_id, attr, dataset or ""


def _overlay(path: Path, aside: Path) -> list[str]:
    """Save what can be read of a damaged overlay into a new one."""
    if not _is_damaged(path):
        return []
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    old = commits.put_aside(path, aside)
    saved = 0
    with contextlib.closing(connect(path)) as fresh:
        migrate(fresh, MIGRATIONS, str(path))
        for table, rows in _saved(old):
            marks = ", ".join("?" * len(rows[0])) if rows else ""
            with fresh:
                fresh.executemany(f"INSERT OR REPLACE INTO {table} VALUES({marks})", rows)
            saved += len(rows)
    return [f"{path.name} was damaged: {saved} of its entries could be read and are in a new one"]


def _saved(old: Path) -> Iterator[tuple[str, Sequence[tuple[Any, ...]]]]:
    """What can be read of each table; of a file whose head is gone nothing."""
    try:
        source = connect(old, read_only=True)
    except Exception as error:
        if database_fault(error) != "damaged":
            raise
        return
    with contextlib.closing(source):
        for table, key in (("added", "n"), ("patch", "v"), ("gone", "v"), ("entity", "id")):
            yield table, _readable(source, table, key)


def _is_damaged(path: Path) -> bool:
    try:
        connection = connect(path, read_only=True)
        try:
            return connection.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]
        finally:
            connection.close()
    except Exception as error:
        if database_fault(error) != "damaged":
            raise
        return True


def _readable(source: Connection, table: str, key: str) -> Sequence[tuple[Any, ...]]:
    """The rows of a table that can be read, from its beginning and from its end."""
    found: dict[Any, tuple[Any, ...]] = {}
    for order in ("ASC", "DESC"):
        try:
            for row in source.execute(f"SELECT * FROM {table} ORDER BY {key} {order}"):
                if row[0] in found and order == "DESC":
                    break
                found[row[0]] = row
        except Exception as error:
            if not database_fault(error) and "no such table" not in str(error):
                raise
    return list(found.values())
