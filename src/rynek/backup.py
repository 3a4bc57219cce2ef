"""One file that holds a data folder: made while the service runs, restored into an empty folder.

Order matters (docs/cli.md): of each tenant first one version of the history table, then the
database. Readings that the table does not hold yet are in the database's change log, from which
history goes on; that the log reaches back far enough is checked before a backup counts.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from rynek import __version__
from rynek.base.clock import SystemClock, to_iso
from rynek.base.folder import FORMAT, DataFolder, FolderError, sync_folder
from rynek.base.sqlite import connect
from rynek.history import TableFiles, table_files

ABOUT: Final = "backup.json"
_ATTEMPTS: Final = 5
_LEFT_OUT: Final = ("state.db", "system.db", "lock")

Progress = Callable[[str], None]


class About(msgspec.Struct, forbid_unknown_fields=True):
    """What a backup says of itself; `tables` is the Delta version of each tenant's history."""

    format: int
    rynek: str
    made: str
    tables: dict[str, int]


class BackupError(RuntimeError):
    """The backup could not be made or used; the message says what to do."""


def backup(data: Path, target: Path, progress: Progress | None = None) -> About:
    """Write the data folder into the tar `target`; a service may be running on it.

    The file appears when it is complete. BackupError, FolderError.
    """
    if not (data / "format").is_file():
        raise FolderError(f"{data} is no data folder of rynek")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as room:
            about = _write(data, draft, Path(room), progress or (lambda _: None))
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise BackupError(f"{target}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return about


def _write(data: Path, draft: Path, room: Path, progress: Progress) -> About:
    about = About(FORMAT, __version__, to_iso(SystemClock().now()), {})
    with tarfile.open(draft, "w") as tar:
        for path in sorted(data.iterdir()):
            if path.is_file() and not path.name.startswith((".", *_LEFT_OUT)):
                _add(tar, path, Path(path.name))
        if (data / "system.db").exists():
            _add(tar, _copied(data / "system.db", room / "system.db"), Path("system.db"))
        for tenant in sorted((data / "tenants").iterdir()):
            if tenant.is_dir():
                progress(tenant.name)
                version = _tenant(tar, data, tenant, room)
                if version is not None:
                    about.tables[tenant.name] = version
        content = msgspec.json.encode(about)
        info = tarfile.TarInfo(ABOUT)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return about


def _tenant(tar: tarfile.TarFile, data: Path, tenant: Path, room: Path) -> int | None:
    """One tenant's table, database and files; the version of its table."""
    base = tenant.relative_to(data)
    copy = room / f"{tenant.name}-history"
    table = _frozen(tenant, copy, room / f"{tenant.name}.db")
    for path in sorted(item for item in copy.rglob("*") if item.is_file()):
        _add(tar, path, base / "history" / path.relative_to(copy))
    database = room / f"{tenant.name}.db"
    if database.exists():
        _add(tar, database, base / "state.db")
        database.unlink()
    shutil.rmtree(copy, ignore_errors=True)
    for path in _others(tenant):
        _add(tar, path, base / path.relative_to(tenant))
    return None if table is None else table.version


def _frozen(tenant: Path, copy: Path, database: Path) -> TableFiles | None:
    """Hold one version of the table (by links, so that nothing is copied or can go away), then
    the database; once more when the log no longer reaches back to the table."""
    for _ in range(_ATTEMPTS):
        shutil.rmtree(copy, ignore_errors=True)
        database.unlink(missing_ok=True)
        try:
            table = table_files(tenant / "history")
            for path in (table.paths if table else []) + _runs(tenant):
                _link(tenant / "history" / path, copy / path)
        except FileNotFoundError:
            continue
        if not (tenant / "state.db").exists():
            return table
        _copied(tenant / "state.db", database)
        if table is None or _oldest(database) <= table.seq + 1:
            return table
    raise BackupError(f"{tenant.name}: the change log moves on too fast; try again in a quiet hour")


def _runs(tenant: Path) -> list[Path]:
    return [Path("runs.msgpack")] if (tenant / "history" / "runs.msgpack").exists() else []


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _copied(source: Path, target: Path) -> Path:
    """A consistent copy of a database that others may be writing."""
    connection = connect(source, read_only=True)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        connection.close()
    return target


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
    """city.toml, feeds, reference tables …: all but databases, history and drafts."""
    for path in sorted(tenant.rglob("*")):
        inside = path.relative_to(tenant).parts
        hidden = any(part.startswith(".") for part in inside)
        kept = inside[0] != "history" and not path.name.startswith(_LEFT_OUT)
        if kept and not hidden and path.is_file():
            yield path


def _add(tar: tarfile.TarFile, path: Path, name: Path) -> None:
    tar.add(path, arcname=str(name), recursive=False)


def restore(archive: Path, data: Path, *, force: bool = False) -> About:
    """Unpack a backup into `data`, which must be empty or absent unless `force`.

    With `force` what is there is replaced, after the backup was unpacked beside it. BackupError;
    FolderError when a service runs on the folder.
    """
    if data.exists() and any(data.iterdir()):
        if not force:
            raise BackupError(
                f"{data} is not empty: choose another --data, or replace it with --force"
            )
        lock = DataFolder(data)
        lock.open()
        lock.close()
    data.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{data.name}-", dir=data.parent))
    try:
        about = _unpack(archive, fresh)
        # The old folder goes only once the new one stands in its place.
        old = fresh.with_name(f"{fresh.name}-old")
        if data.exists():
            data.replace(old)
        fresh.replace(data)
        data.chmod(0o755)
        sync_folder(data.parent)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{archive}: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return about


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One plain file or folder below `folder`; links, devices and ways out are refused."""
    target = folder / member.name
    if not target.resolve().is_relative_to(folder.resolve()):
        raise BackupError(f"{member.name!r} leads out of the folder: this is no backup of rynek")
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    content = tar.extractfile(member) if member.isfile() else None
    if content is None:
        raise BackupError(f"{member.name!r} is no plain file: this is no backup of rynek")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)


def _unpack(archive: Path, folder: Path) -> About:
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            _extract(tar, member, folder)
    try:
        about = msgspec.json.decode((folder / ABOUT).read_bytes(), type=About)
    except (OSError, msgspec.MsgspecError):
        raise BackupError(f"{archive} is no backup of rynek, or not all of it") from None
    if about.format > FORMAT:
        raise BackupError(
            f"{archive} has format {about.format}, this rynek knows up to {FORMAT}: use a newer one"
        )
    (folder / ABOUT).unlink()
    return about


__all__ = ["About", "BackupError", "backup", "restore"]
