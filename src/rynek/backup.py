"""One file that holds a data folder: made while the service runs, restored into an empty folder.

Order matters (docs/cli.md): of each tenant first what clients wrote into the past (the overlay),
then one version of the history table, then the database. Readings that the table does not hold
yet are in the database's change log, from which history goes on; that the log reaches back far
enough is checked before a backup counts. What a merge moves from the overlay into the table in
between is in both, which the table's own numbers sort out.
"""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from rynek import __version__
from rynek.archive import Archive, BackupError, Summing, copied, private, verify
from rynek.base.clock import SystemClock, to_iso
from rynek.base.folder import FORMAT, DataFolder, FolderError, sync_folder
from rynek.base.sqlite import connect, is_set_aside
from rynek.base.typed import decode
from rynek.history import OVERLAY_FILE, TableFiles, table_files
from rynek.indicators import INDICATORS_FILE, KEPT_FILE, PROFILES_FILE, SURVEYS_FILE
from rynek.practices.cards import FILE
from rynek.practices.search import INDEX_FILE

ABOUT: Final = "backup.json"
SUMS: Final = "SHA256SUMS"
_SNAPSHOTS: Final = "snapshots"
_ATTEMPTS: Final = 5
_MOUNTED: Final = (
    "{} is a mount point, which cannot be replaced: choose a folder inside it as --data"
)
_SHARED: Final = ("system.db", FILE, INDICATORS_FILE, SURVEYS_FILE)
# The index of the cards is made of them, sums of days and the values of cities of the history: they
# are neither kept nor brought back.
_DATABASES: Final = ("state.db", *_SHARED, INDEX_FILE, KEPT_FILE, PROFILES_FILE)
_LEFT_OUT: Final = frozenset(
    ["lock", *(name + end for name in _DATABASES for end in ("", "-wal", "-shm", "-journal"))]
)
_APART: Final = frozenset(["history", _SNAPSHOTS, *_LEFT_OUT])

Progress = Callable[[str], None]


def _quiet(_: str) -> None:
    """Nobody is told."""


class About(msgspec.Struct, forbid_unknown_fields=True):
    """What a backup says of itself; `tables` is the Delta version of each tenant's history."""

    format: int
    rynek: str
    made: str
    tables: dict[str, int]


def backup(data: Path, target: Path, progress: Progress = _quiet) -> About:
    """Write the data folder into the tar `target`; a service may be running on it. `progress` is
    told what is under way.

    The file appears when it is complete. BackupError, FolderError.
    """
    if not (data / "format").is_file():
        raise FolderError(f"{data} is no data folder of rynek")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as room:
            about, sizes = _write(data, draft, Path(room), progress)
        progress("reading it again")
        verify(draft, sizes)
        draft.replace(target)
        sync_folder(target.parent)
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{target}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return about


def _write(data: Path, draft: Path, room: Path, progress: Progress) -> tuple[About, dict[str, int]]:
    about = About(FORMAT, __version__, to_iso(SystemClock().now()), {})
    with open(draft, "xb", opener=private) as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            archive = Archive(tar)
            for path in sorted(data.iterdir()):
                kept = path.name not in _LEFT_OUT and not is_set_aside(path.name)
                if kept and path.name[0] != "." and path.is_file():
                    archive.add(path, Path(path.name))
            for name in _SHARED:
                if (data / name).exists():
                    archive.add(copied(data / name, room / name), Path(name))
            for tenant in sorted((data / "tenants").iterdir()):
                if tenant.is_dir():
                    version = _tenant(archive, data, tenant, room, progress)
                    if version is not None:
                        about.tables[tenant.name] = version
            lines = "".join(f"{told}  {name}\n" for name, told in archive.sums.items())
            archive.add_bytes(lines.encode(), SUMS)
            archive.add_bytes(msgspec.json.encode(about), ABOUT)
        file.flush()
        os.fsync(file.fileno())
    return about, archive.sizes


def _tenant(
    archive: Archive, data: Path, tenant: Path, room: Path, progress: Progress
) -> int | None:
    """One tenant's table, database, files and snapshots; the version of its table."""
    version = _store(archive, data, tenant, room, progress)
    for path in _others(tenant):
        archive.add(path, path.relative_to(data))
    for snapshot in sorted((tenant / _SNAPSHOTS).glob("*/")):
        _store(archive, data, snapshot, room, progress)
    return version


def _store(
    archive: Archive, data: Path, tenant: Path, room: Path, progress: Progress
) -> int | None:
    """The table and the database in a folder; the version of its table."""
    base = tenant.relative_to(data)
    copy = room / f"{tenant.name}-history"
    progress(f"{tenant.name}, copying the live picture")
    table = _frozen(tenant, copy, room / f"{tenant.name}.db")
    paths = sorted(item for item in copy.rglob("*") if item.is_file())
    for number, path in enumerate(paths, 1):
        progress(f"{tenant.name}, file {number} of {len(paths)} of the history")
        archive.add(path, base / "history" / path.relative_to(copy))
    database = room / f"{tenant.name}.db"
    if database.exists():
        archive.add(database, base / "state.db")
        database.unlink()
    shutil.rmtree(copy, ignore_errors=True)
    return None if table is None else table.version


def _frozen(tenant: Path, copy: Path, database: Path) -> TableFiles | None:
    """Hold the overlay, one version of the table (by links, so that nothing is copied or can go
    away), then the database; once more when the log no longer reaches back to the table."""
    missing: str | None = None
    for _ in range(_ATTEMPTS):
        shutil.rmtree(copy, ignore_errors=True)
        database.unlink(missing_ok=True)
        if (tenant / "history" / OVERLAY_FILE).exists():
            copy.mkdir(parents=True)
            copied(tenant / "history" / OVERLAY_FILE, copy / OVERLAY_FILE)
        try:
            table = _table(tenant / "history")
            for path in (table.paths if table else []) + _runs(tenant):
                _link(tenant / "history" / path, copy / path)
        except FileNotFoundError as error:
            missing = error.filename or str(error)
            continue
        missing = None
        if not (tenant / "state.db").exists():
            return table
        copied(tenant / "state.db", database)
        if table is None or _oldest(database) <= table.seq + 1:
            return table
    if missing is not None:
        raise BackupError(f"{missing} is missing; rynek doctor says what to do")
    raise BackupError(f"{tenant.name}: the change log moves on too fast; try again in a quiet hour")


def _table(history: Path) -> TableFiles | None:
    try:
        return table_files(history)
    except FileNotFoundError:
        raise
    except Exception as error:
        told = " ".join(str(error).split())[:200]
        raise BackupError(f"{history} is damaged: {told}; rynek doctor says more") from error


def _runs(tenant: Path) -> list[Path]:
    return [Path("runs.msgpack")] if (tenant / "history" / "runs.msgpack").exists() else []


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # The file itself: a link to a relative symbolic link would lead nowhere from here.
        os.link(source.resolve(strict=True), target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _oldest(database: Path) -> int:
    """The oldest change kept, or the next one to come where none is."""
    connection = connect(database, read_only=True)
    try:
        row = connection.execute(
            "SELECT coalesce((SELECT min(seq) FROM change),"
            " (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'change'), 1)"
        ).fetchone()
        return int(row[0])
    finally:
        connection.close()


def _others(tenant: Path) -> Iterator[Path]:
    """city.toml, feeds, reference tables …: all but databases, history, snapshots and drafts."""
    for path in sorted(tenant.iterdir()):
        if path.name not in _APART and not is_set_aside(path.name):
            yield from _files(path, ())


def _files(path: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """The files at and below `path`; links are followed, round in a circle only once."""
    if path.name.startswith("."):
        return
    if path.is_file():
        yield path
    elif path.is_dir() and (real := path.resolve()) not in above:
        for inner in sorted(path.iterdir()):
            yield from _files(inner, (*above, real))


def restore(
    archive: Path, data: Path, *, force: bool = False, progress: Progress = _quiet
) -> About:
    """Unpack a backup into `data`, which must be empty or absent unless `force`.

    With `force` a data folder of rynek is replaced, after the backup was unpacked beside it.
    BackupError; FolderError when a service runs on the folder.
    """
    data = data.resolve()
    lock = _vacant(data, force)
    fresh: Path | None = None
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{data.name}-", dir=data.parent))
        about = _unpack(archive, fresh, progress)
        _sync(fresh)
        _exchange(fresh, data)
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{archive}: {error}") from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
        if lock is not None:
            lock.close()
    return about


def _vacant(data: Path, force: bool) -> DataFolder | None:
    """Check that `data` may be replaced; where it is a data folder, its lock is held."""
    if not data.exists():
        return None
    if not data.is_dir():
        raise BackupError(f"{data} is no folder: choose another --data")
    if os.path.ismount(data):
        raise BackupError(_MOUNTED.format(data))
    if not any(data.iterdir()):
        return None
    if not force:
        raise BackupError(f"{data} is not empty: choose another --data, or replace it with --force")
    if not (data / "format").is_file():
        raise BackupError(
            f"{data} is not empty and no data folder of rynek (it has no file named format):"
            " --force replaces only those; choose another --data"
        )
    lock = DataFolder(data)
    lock.open()
    return lock


def _exchange(fresh: Path, data: Path) -> None:
    """Put `fresh` in the place of `data`; what was there goes once the new one stands."""
    old = fresh.with_name(f"{fresh.name}-old")
    replaced = data.exists()
    if replaced:
        try:
            data.replace(old)
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.EXDEV):
                raise BackupError(_MOUNTED.format(data)) from error
            raise
    try:
        fresh.replace(data)
    except BaseException:
        if replaced:
            old.replace(data)
        raise
    sync_folder(data.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Make the names in a folder and in those below it durable."""
    for path, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(path))


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> str:
    """One plain file or folder below `folder`, and its SHA-256; links, devices and ways out are
    refused."""
    target = folder / member.name
    if not target.resolve().is_relative_to(folder.resolve()):
        raise BackupError(f"{member.name!r} leads out of the folder: this is no backup of rynek")
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return ""
    content = tar.extractfile(member) if member.isfile() else None
    if content is None:
        raise BackupError(f"{member.name!r} is no plain file: this is no backup of rynek")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        summing = Summing(content)
        shutil.copyfileobj(summing, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
    return summing.sum


def _unpack(archive: Path, folder: Path, progress: Progress) -> About:
    sums: dict[str, str] = {}
    size = archive.stat().st_size / 1e6
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            progress(f"{member.name}, {member.offset / 1e6:.0f} of {size:.0f} MB")
            sums[member.name] = _extract(tar, member, folder)
    _compare(archive, folder, sums)
    try:
        about = decode((folder / ABOUT).read_bytes(), About)
    except (OSError, msgspec.MsgspecError):
        raise BackupError(f"{archive} is no backup of rynek, or not all of it") from None
    if about.format > FORMAT:
        raise BackupError(
            f"{archive} has format {about.format}, this rynek knows up to {FORMAT}: use a newer one"
        )
    (folder / ABOUT).unlink()
    return about


def _compare(archive: Path, folder: Path, sums: dict[str, str]) -> None:
    """Every file has the sum that was written down, where the backup has a list of them."""
    listed = folder / SUMS
    if not listed.is_file():
        return
    for line in listed.read_text().splitlines():
        told, _, name = line.partition("  ")
        if sums.get(name) != told:
            raise BackupError(f"{archive} is damaged: {name} is not what was backed up")
    listed.unlink()


__all__ = ["About", "BackupError", "backup", "restore"]
