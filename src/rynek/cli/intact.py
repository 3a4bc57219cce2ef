"""Whether the files of a data folder can be read, for `rynek doctor`; a service may be running."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from rynek.base.sqlite import connect, database_fault
from rynek.base.storage import is_full

RESTORE: Final = "restore a backup: docs/operations.md, A file is damaged"
_TOKENS: Final = (
    "tokens stand in it alone: restore it from a backup, or stop the service, move it away and make"
    " the tokens anew (rynek token create)"
)
_FAILING: Final = (
    "the disk may be dying (journalctl -k): take a backup to another one before anything else"
)
_SHOWN: Final = 3
Say = Callable[[str], None]


class Finding(msgspec.Struct):
    """One thing looked at: `state` is ok, note or bad; `advice` says what to do."""

    what: str
    state: str
    found: str
    advice: str = ""


def check_database(
    path: Path, what: str, say: Say, *, deep: bool, advice: str = ""
) -> Finding | None:
    """Whether SQLite finds a database consistent; None where there is none."""
    if not path.exists():
        return None
    say(f"{what}, {path.stat().st_size / 1e6:.0f} MB")
    try:
        told = _told(path, "integrity_check" if deep else "quick_check")
    except Exception as error:
        fault = database_fault(error)
        if fault == "read-only":
            # SQLite wants to make a file beside it even to read.
            return Finding(what, "note", f"{path} cannot be looked at in a folder it may not write")
        if fault in ("full", "disk"):
            return _unread(path, what, error)
        if fault != "damaged":
            raise
        told = [str(error)]
    if told != ["ok"]:
        given = advice or (_TOKENS if path.name == "system.db" else RESTORE)
        return Finding(what, "bad", f"{path}: {'; '.join(told)}", given)
    return Finding(what, "ok", f"{path.stat().st_size / 1e6:.1f} MB, intact")


def _unread(path: Path, what: str, error: Exception) -> Finding:
    """A database that a full or failing disk keeps from being looked at: nothing is known of it."""
    if is_full(path.parent):
        found = f"{path} cannot be looked at: no room for the file that SQLite makes beside it"
        return Finding(what, "note", found, "make room, and ask again; nothing says it is damaged")
    return Finding(what, "bad", f"{path} cannot be read: {error}", _FAILING)


def _told(path: Path, check: str) -> list[str]:
    connection = connect(path, read_only=True)
    try:
        return [str(row[0]) for row in connection.execute(f"PRAGMA {check}(5)")]
    finally:
        connection.close()


def check_overlay(tenant: Path, what: str, say: Say, *, deep: bool) -> Finding | None:
    """Whether what clients wrote into the past can be read."""
    from rynek.history import OVERLAY_FILE

    return check_database(
        tenant / "history" / OVERLAY_FILE, what, say, deep=deep, advice=_repair(tenant)
    )


def check_history(tenant: Path, what: str, say: Say, *, deep: bool) -> Finding | None:
    """Whether the table of readings is whole."""
    from rynek.history import faults, table_files

    say(what)
    found = faults(
        tenant / "history", deep=deep, progress=lambda told: say(f"{tenant.name}, {told}")
    )
    if found:
        told = "; ".join(f"{one.path}: {one.what}" for one in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return Finding(what, "bad", told + more, _repair(tenant))
    table = table_files(tenant / "history")
    if table is None:
        return None
    state = "read to the end" if deep else "all there"
    return Finding(what, "ok", f"version {table.version}, {len(table.paths)} files, {state}")


def check_set_aside(tenant: Path, what: str) -> Finding | None:
    """Whether readings, or damaged files, were put aside."""
    from rynek.history import count_set_aside

    rows, files = count_set_aside(tenant / "history")
    if not rows and not files:
        return None
    told = f"{rows} readings and {files} files are set aside in {tenant / 'history'}"
    return Finding(what, "note", told, "docs/operations.md says what they are")


def _repair(tenant: Path) -> str:
    return (
        f"stop the service and run: rynek history repair --tenant {tenant.name}"
        f" --data {tenant.parent.parent}; or restore a backup"
    )
