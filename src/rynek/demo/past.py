"""What the demo loads behind the running service: timetables, and the past in bulk."""

from __future__ import annotations

import asyncio
import gzip
import os
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import pyarrow as pa

from rynek.base.progress import Loading
from rynek.base.typed import convert
from rynek.context import Context, ReferenceStore
from rynek.demo.install import CITIES, past_files, past_manifest
from rynek.feeds import compact_tables, load_feed, past_batches
from rynek.history import History

POZNAN: Final = "poznan"
GROUP: Final = "gtfs:timetable"
_DAYS: Final = (date(2026, 1, 1), date(2026, 12, 31))
_VERSION: Final = "2026-07-20"

Progress = Callable[[str, Loading], None]


class City(Protocol):
    """What loading needs of a tenant."""

    folder: Path
    loading: list[Loading]

    @property
    def context(self) -> Context:
        """The live picture."""
        ...

    @property
    def history(self) -> History:
        """What was."""
        ...

    @property
    def reference(self) -> ReferenceStore:
        """Timetables and other tables."""
        ...


class _Past(msgspec.Struct, forbid_unknown_fields=True):
    """`past.toml`: the feed whose kind and options read the files, and how many rows they hold."""

    feed: str
    rows: int
    title: dict[str, str]


async def load_timetables(tenants: Mapping[str, Any]) -> None:
    """Poznań's compact timetable into its reference tables, once.

    Its lines also tell the live vehicles' kinds, so the vehicles' feed then starts anew.
    """
    tenant: City = tenants[POZNAN]
    if tenant.reference.version(GROUP) == _VERSION:
        return
    tables = await asyncio.to_thread(_timetable, tenant.folder / "feeds" / "recording")
    await asyncio.to_thread(tenant.reference.put, GROUP, _VERSION, tables)
    os.utime(tenant.folder / "feeds" / "vehicles.toml")


def _timetable(folder: Path) -> dict[str, pa.Table]:
    files = (gzip.decompress(path.read_bytes()) for path in sorted(folder.glob("*day.json.gz")))
    return compact_tables(files, "Europe/Warsaw", POZNAN, *_DAYS)


async def load_past(tenants: Mapping[str, Any], progress: Progress) -> None:
    """Every city's past into its history; what an earlier run stored is not stored again.

    `progress` is called with the tenant's name whenever its state changed.
    """
    for name in CITIES:
        manifest = past_manifest(name)
        if manifest.exists():
            past = convert(tomllib.loads(manifest.read_text("utf-8")), _Past)
            await _load_city(name, tenants[name], past, progress)
    pa.default_memory_pool().release_unused()


async def _load_city(name: str, tenant: City, past: _Past, progress: Progress) -> None:
    state = Loading(title=past.title, total=past.rows)
    tenant.loading.append(state)
    stored = False
    config = load_feed(tenant.folder / "feeds" / f"{past.feed}.toml")
    try:
        expand = (await tenant.context.default_ld()).attribute
        for path in past_files(name):
            key = f"demo:{name}:{path.name}"
            before = state.done

            def told(rows: int, before: int = before) -> None:
                state.done = before + rows
                progress(name, state)

            batches = past_batches(config, path.read_bytes())
            written = await tenant.history.sink.append(key, batches, expand, told)
            tenant.history.sink.newest(key)
            state.done = before + written.rows + written.skipped
            if written.rows:
                progress(name, state)
                stored = True
        state.finished = True
        tenant.loading.remove(state)
        if stored:
            progress(name, state)
    except Exception as error:
        state.error = f"{type(error).__name__}: {error}"
        progress(name, state)
        raise
