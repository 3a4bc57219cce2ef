"""`rynek doctor`: is everything as it should be, and what to do where it is not."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import click
import msgspec

from rynek.base.folder import FORMAT, DataFolder, FolderError
from rynek.base.settings import Settings, SettingsError
from rynek.base.sqlite import connect
from rynek.base.storage import write_fault
from rynek.cli.intact import (
    RESTORE,
    Finding,
    Say,
    check_database,
    check_history,
    check_overlay,
    check_set_aside,
)
from rynek.cli.options import config_option, data_option, settings_of
from rynek.cli.waiting import waiting
from rynek.feeds import list_feeds, load_feed

_MARKS: Final = {"ok": "ok  ", "note": "note", "bad": "BAD "}
_FREE: Final = 1 << 30
_WRITABLE: Final = "mount it for writing, or give it to the user that rynek runs as (chown -R)"
_LIBRARIES: Final = ("apsw", "granian", "deltalake", "duckdb", "ibis-framework", "pyarrow")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--deep", is_flag=True, help="Read every page of every file; this takes a while.")
@data_option
@config_option
def doctor(as_json: bool, deep: bool, data: Path | None, config: Path | None) -> None:
    """Check the set-up: Python, libraries, settings, data folder, databases, history, feeds, port.

    Nothing is changed. The exit code is 1 when something is wrong, with what to do beside it. It
    may be run while a service runs on the folder.
    """
    with waiting("checking") as say:
        findings = list(_looked(data, config, say, deep=deep))
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(findings), ensure_ascii=False, indent=2))
    else:
        for one in findings:
            click.echo(f"{_MARKS[one.state]}  {one.what}: {one.found}")
            if one.advice:
                click.echo(f"      → {one.advice}")
    if any(one.state == "bad" for one in findings):
        raise SystemExit(1)


def _looked(data: Path | None, config: Path | None, say: Say, *, deep: bool) -> Iterator[Finding]:
    yield _python()
    yield from _libraries()
    try:
        settings = settings_of(config, data)
    except SettingsError as error:
        yield Finding("settings", "bad", str(error), "correct it; docs/settings.md has every key")
        return
    yield Finding("settings", "ok", str(config) if config else "defaults and environment")
    yield _frontend()
    folder = Path(settings.data.path)
    running = False
    for one in _folder(folder):
        running = running or one.what == "service"
        yield one
    yield _space(folder)
    yield _port(settings, running)
    if folder.is_dir():
        for name in ("system.db", "practices.db", "indicators.db"):
            check = partial(check_database, folder / name, name, say, deep=deep)
            yield from _guarded(name, check)
        for tenant in sorted((folder / "tenants").glob("*")):
            if tenant.is_dir():
                yield from _tenant(tenant, say, deep=deep)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", found)


def _libraries() -> Iterator[Finding]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding(name, "bad", "is missing", "pip install rynek (or: make setup)")
    memory = connect(Path(":memory:"))
    number = memory.execute("SELECT sqlite_version()").fetchone()[0]
    memory.close()
    yield Finding("libraries", "ok", ", ".join([*found, f"SQLite {number}"]))


def _frontend() -> Finding:
    import rynek

    built = Path(rynek.__file__).parent / "web" / "static" / "app"
    if any(built.glob("**/*.js")):
        return Finding("pages", "ok", "map and charts are built")
    return Finding("pages", "bad", "the map is not built", "pip install . (or: make setup)")


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        yield Finding("data folder", "note", f"{folder} is not there yet", "rynek serve makes it")
        return
    fault = write_fault(folder)
    if fault is not None or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        why = "" if fault is None else f" ({fault.strerror})"
        yield Finding("data folder", "bad", f"{folder} may not be written{why}", _WRITABLE)
        return
    try:
        kept = int((folder / "format").read_text())
    except (OSError, ValueError):
        held = "tokens, and no city yet" if (folder / "system.db").is_file() else "no data yet"
        yield Finding("data folder", "note", f"{folder} holds {held}", "rynek serve makes the rest")
        return
    if kept > FORMAT:
        yield Finding(
            "data folder", "bad", f"format {kept}, known is {FORMAT}", "use a newer rynek"
        )
        return
    yield Finding("data folder", "ok", f"{folder}, format {kept}")
    lock = DataFolder(folder)
    try:
        lock.open()
        lock.close()
    except FolderError as error:
        yield Finding("service", "note", str(error).split(":", maxsplit=1)[0])


def _space(folder: Path) -> Finding:
    place = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < _FREE:
        return Finding("disk", "bad", f"{free / 1e9:.1f} GB free", "make room, or move the folder")
    return Finding("disk", "ok", f"{free / 1e9:.0f} GB free")


def _port(settings: Settings, running: bool) -> Finding:
    host, port = settings.server.host, settings.server.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            state = "note" if running else "bad"
            why = f"{host}:{port}: {error.strerror}"
            return Finding("port", state, why, "" if running else "choose another with --port")
    return Finding("port", "ok", f"{host}:{port} is free")


def _tenant(tenant: Path, say: Say, *, deep: bool) -> Iterator[Finding]:
    name = tenant.name
    picture, past = f"{name}: live picture", f"{name}: history"
    database = tenant / "state.db"
    yield from _guarded(picture, lambda: check_database(database, picture, say, deep=deep))
    yield from _guarded(past, lambda: check_history(tenant, past, say, deep=deep))
    yield from _guarded(past, lambda: check_set_aside(tenant, past))
    writes = f"{name}: writes to the past"
    yield from _guarded(writes, lambda: check_overlay(tenant, writes, say, deep=deep))
    for feed, path in list_feeds(tenant / "feeds").items():
        try:
            load_feed(path)
        except (ValueError, OSError) as error:
            yield Finding(f"{name}: feed {feed}", "bad", str(error), f"correct {path}")


def _guarded(name: str, look: Callable[[], Finding | None]) -> Iterator[Finding]:
    try:
        found = look()
    except Exception as error:
        found = Finding(name, "bad", f"{type(error).__name__}: {error}", RESTORE)
    if found is not None:
        yield found
