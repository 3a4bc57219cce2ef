"""A backup holds what clients wrote into the past, wherever it stands when the backup is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import rynek.backup as module
from rynek.app import Engine, Tenant
from rynek.backup import backup, restore
from rynek.base.settings import load
from rynek.context import TemporalFragment, TemporalQuery, parse_temporal
from rynek.context import core_context as core
from rynek.history import table_files

ID = "urn:ngsi-ld:Thing:1"
DAY = "2026-05-01T10:0"


def fragment(*values: int) -> TemporalFragment:
    """Instances of `x`, a minute apart."""
    instances = [{"type": "Property", "value": v, "observedAt": f"{DAY}{v}:00Z"} for v in values]
    return parse_temporal({"type": "Thing", "x": instances}, core())


def within(folder: Path, test: Callable[[Tenant], Awaitable[Any]]) -> Any:
    """Run a test on the default tenant of a data folder."""

    async def body() -> Any:
        engine = Engine(load(None, {}, {"data.path": str(folder)}))
        engine.open()
        tenant = engine.tenant("default")
        await tenant.follow()
        await tenant.history.ready()
        try:
            return await test(tenant)
        finally:
            await engine.stop()

    return asyncio.run(body())


async def add(tenant: Tenant, *values: int) -> None:
    await tenant.history.edit.add(ID, fragment(*values), None, now=1, create=True)


async def shown(tenant: Tenant) -> list[tuple[int, str]]:
    """The values of `x` and their ids."""
    found = await tenant.history.evolution([ID], TemporalQuery())
    (ones,) = found[ID].attrs.values()
    return [(one.instance.value, one.instance_id) for one in ones]


@pytest.mark.parametrize("merges", ["never", "before", "between"])
def test_the_past_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, merges: str) -> None:
    """Also when readings move from the overlay into the table while the backup is made."""
    tar = tmp_path / "b.tar"

    async def write(tenant: Tenant) -> list[tuple[int, str]]:
        await add(tenant, 1, 2, 3)
        await tenant.history.merge()
        await add(tenant, 4, 5)
        (_, first), (_, second), *_ = await shown(tenant)
        edit = tenant.history.edit
        attr = core().attribute("x")
        await edit.delete_instance(ID, attr, first, now=2)
        await edit.modify_instance(ID, attr, second, fragment(7).attrs[attr][0], now=2)
        if merges == "before":
            await tenant.history.merge()
        frozen, loop = table_files, asyncio.get_running_loop()

        def meanwhile(folder: Path) -> Any:
            if merges == "between":
                asyncio.run_coroutine_threadsafe(tenant.history.merge(), loop).result()
            return frozen(folder)

        monkeypatch.setattr(module, "table_files", meanwhile)
        await asyncio.to_thread(backup, tmp_path / "data", tar)
        return await shown(tenant)

    before = within(tmp_path / "data", write)
    assert [value for value, _ in before] == [3, 4, 5, 7]
    restore(tar, tmp_path / "new")
    assert within(tmp_path / "new", shown) == before

    async def more(tenant: Tenant) -> list[tuple[int, str]]:
        await add(tenant, 8)
        await tenant.history.merge()
        return await shown(tenant)

    after = within(tmp_path / "new", more)
    assert [value for value, _ in after] == [3, 4, 5, 7, 8]
    assert len({one for _, one in after}) == 5
