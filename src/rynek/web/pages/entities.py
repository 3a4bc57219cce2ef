"""Everything in the city as a list: searched by name or id, narrowed by type, sorted, paged."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from starlette.responses import Response
from starlette.routing import Route

from rynek.web.live_table import NEVER, LiveTable
from rynek.web.pages import labels
from rynek.web.pages.home import loaded
from rynek.web.pages.map import hubs_of
from rynek.web.pages.shell import Page, Site, entity_path
from rynek.web.pages.values import title_of
from rynek.web.themes import THEMES

__all__ = ["routes"]

PAGE_SIZE: Final = 50
SORTS: Final = ("name", "-name", "seen", "-seen")
_SORTED_MOST: Final = 300_000
_SLICE: Final = 20_000


class Listed(msgspec.Struct):
    """One line of the list, in words."""

    name: str
    url: str
    entity_id: str
    kind: str
    theme: str
    value: str
    age: str
    at: str


async def matching(table: LiveTable, kind: str, query: str) -> list[int]:
    """Rows of that type (all without one) whose name, label or id holds every word of `query`."""
    n = table.size
    mask = table.alive[:n].copy()
    if kind:
        index = table.kinds.index(kind) if kind in table.kinds else -1
        mask &= table.kind[:n] == index
    rows: list[int] = np.flatnonzero(mask).tolist()
    words = query.casefold().split()[:8]
    if not words:
        return rows
    found: list[int] = []
    for start in range(0, len(rows), _SLICE):
        for row in rows[start : start + _SLICE]:
            text = f"{table.names[row]} {table.labels[row]} {table.ids[row]}".casefold()
            if all(word in text for word in words):
                found.append(row)
        await asyncio.sleep(0)
    return found


def ordered(table: LiveTable, rows: list[int], sort: str) -> list[int]:
    """`rows` by name or by last observation; as they came where there are too many to sort."""
    if len(rows) > _SORTED_MOST:
        return rows
    down = sort.startswith("-")
    if sort.endswith("seen"):
        return sorted(rows, key=lambda row: int(table.seen[row]), reverse=down)
    return sorted(rows, key=lambda row: _natural(table, row), reverse=down)


def _natural(table: LiveTable, row: int) -> tuple[bool, str]:
    name = table.names[row]
    return (not name, (name or table.ids[row]).casefold())


async def show(page: Page) -> Response:
    """The page; the whole city without parameters."""
    hub = hubs_of(page.site.engine).get(page.tenant.name)
    await loaded([hub])
    table = hub.table
    kind, query = page.param("type"), page.param("q").strip()[:100]
    sort = page.param("sort") if page.param("sort") in SORTS else "name"
    rows = ordered(table, await matching(table, kind, query), sort)
    pages = max(1, math.ceil(len(rows) / PAGE_SIZE))
    wanted = page.param("page", "1")
    number = min(pages, max(1, int(wanted))) if wanted.isdecimal() and len(wanted) < 8 else 1
    some = rows[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    return page.render(
        "entities.html",
        nav="list",
        query=query,
        kind=kind,
        kind_word=labels.type_name(page.t, kind) if kind else "",
        kinds=_kinds(page, table),
        total=len(rows),
        rows=[_listed(page, table, row) for row in some],
        number=number,
        pages=pages,
        sort=sort,
        loaded=hub.loaded,
    )


def _kinds(page: Page, table: LiveTable) -> list[tuple[str, str, int]]:
    counts = Counter(table.kind[: table.size][table.alive[: table.size]].tolist())
    found = [
        (table.kinds[k], labels.type_name(page.t, table.kinds[k]), c) for k, c in counts.items()
    ]
    return sorted(found, key=lambda item: -item[2])


def _listed(page: Page, table: LiveTable, row: int) -> Listed:
    entity_id, kind = table.ids[row], table.kinds[table.kind[row]]
    entity = page.tenant.context.get(entity_id)
    seen = int(table.seen[row])
    known = seen != NEVER
    theme = THEMES[table.theme[row]]
    return Listed(
        name=title_of(page.t, entity) if entity is not None else entity_id,
        url=entity_path(page.base, entity_id),
        entity_id=entity_id,
        kind=labels.type_name(page.t, kind),
        theme=theme.key,
        value=_value(page, table, row),
        age=page.t.age(page.tenant.clock.now() - seen) if known else "",
        at=page.t.moment(seen, page.zone) if known else "",
    )


def _value(page: Page, table: LiveTable, row: int) -> str:
    number, total, level = (
        float(column[row]) for column in (table.number, table.total, table.level)
    )
    if math.isfinite(number) and math.isfinite(total):
        return f"{page.t.number(number)} / {page.t.number(total)}"
    if math.isfinite(number):
        return page.t.number(number)
    return page.t.percent(level) if math.isfinite(level) else ""


def routes(site: Site) -> Sequence[Route]:
    """`…/entities`."""
    return site.city("/entities", show)
