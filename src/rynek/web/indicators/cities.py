"""`/cities`: up to six cities side by side, found by a search box; and one row of a table among its
peers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import Problem
from rynek.web.contract import said
from rynek.web.indicators import words
from rynek.web.indicators.among import among
from rynek.web.indicators.beside import Block, measured, span_of, table_csv, tables
from rynek.web.indicators.chosen import MOST, City, Unit, address, chosen, read_keys, search
from rynek.web.indicators.computing import Computing
from rynek.web.indicators.drawing import bars_figure
from rynek.web.indicators.gathering import choose_period, computable
from rynek.web.indicators.periods import read_period
from rynek.web.indicators.profile import later
from rynek.web.indicators.tables import Reader
from rynek.web.pages.shell import NotFound, Page, Site

__all__ = ["routes"]

_PATIENCE_S: Final = 3.0
_PERIODS: Final = ("PT1H", "PT24H", "P7D", "P30D", "P365D")
_TABLES_SHOWN: Final = 40

Handler = Callable[[Page, Computing, Reader], Awaitable[Response]]


class _Chosen(NamedTuple):
    """What a request compares."""

    cities: list[City]
    units: list[Unit]
    unknown: list[str]
    period: str
    keys: list[str]

    @property
    def every(self) -> list[City | Unit]:
        """All of them, cities first."""
        return [*self.cities, *self.units]

    @property
    def late(self) -> bool:
        """Whether something is still being computed."""
        return any(one.late for one in self.cities)


def routes(site: Site, computing: Computing, reader: Reader) -> list[Route]:
    """The routes; the more particular first."""
    table: list[tuple[str, Handler]] = [
        ("/cities", _show),
        ("/cities/values.csv", _csv),
        ("/cities/picture.svg", _svg),
        ("/cities/embed", _embed),
        ("/cities/{table}/{key}", _unit),
    ]
    return [site.plain(path, _answered(work, computing, reader)) for path, work in table]


def _answered(
    work: Handler, computing: Computing, reader: Reader
) -> Callable[[Page], Awaitable[Response]]:
    async def answer(page: Page) -> Response:
        page.tenant = None
        page.longest_query = 4_000
        try:
            return await work(page, computing, reader)
        except Problem as problem:
            if problem.status >= 500:
                raise
            return page.problem(problem.status, problem.detail)

    return answer


async def _chosen(page: Page, computing: Computing, reader: Reader) -> _Chosen:
    keys = read_keys(page.request.query_params.getlist("c"))
    cities, units, unknown = await asyncio.to_thread(
        chosen, keys, page.tenants, reader, page.root, page.language
    )
    asked, late = page.param("period").strip(), False
    if cities and not asked:
        asked, found = await choose_period(computing, cities[0].tenant)
        late = found is None
    known = [await _measure(computing, one, asked) for one in cities]
    if late:
        known = [one._replace(late=True) for one in known]
    keys = [key for key in keys if key not in unknown]
    return _Chosen(known, units, unknown, asked, keys)


async def _measure(computing: Computing, city: City, asked: str) -> City:
    """A city with its values in a period that ends at its own now."""
    home = city.tenant
    period = read_period(asked, home.clock.now(), home.city.zone)
    found = await computing.find(home, period, computable(), patience=_PATIENCE_S)
    values = {one.definition.id: one for one in found.values}
    return city._replace(values=values, late=not found.complete)


def _blocks(page: Page, told: _Chosen) -> list[Block]:
    query = f"period={told.period}"
    return [*measured(page.t, told.cities, query), *tables(page.t, told.units)]


async def _show(page: Page, computing: Computing, reader: Reader) -> Response:
    told = await _chosen(page, computing, reader)
    text = page.param("q").strip()[:100]
    hits = await asyncio.to_thread(search, text, page.tenants, reader, page.language)
    t, here = page.t, f"{page.root}/cities"
    query = address(told.keys, period=page.param("period"))
    return page.render(
        "cities.html",
        nav="compare",
        chosen=[_named(told, one) for one in told.every],
        keys=told.keys,
        unknown=told.unknown,
        full=len(told.keys) >= MOST,
        most=MOST,
        blocks=_blocks(page, told),
        late=told.late,
        text=text,
        hits=[
            (
                one,
                ""
                if one.key in told.keys
                else f"?{address([*told.keys, one.key], period=page.param('period'))}",
            )
            for one in hits
        ],
        cities=[
            (f"city:{name}", said(each.city.name, page.language))
            for name, each in page.tenants.items()
        ],
        tables=[
            (said(kept.about["title"], page.language), t.number(kept.about["rows"], 0))
            for kept in reader.newest()[:_TABLES_SHOWN]
        ],
        periods=[(one, t(words.NAMED[one])) for one in _PERIODS],
        period=told.period,
        measured=bool(told.cities),
        query=query,
        here_path=here,
        public=f"{page.site.engine.public_url}/cities",
    )


def _named(told: _Chosen, one: City | Unit) -> dict[str, str]:
    """One that is compared, and the query without it."""
    rest = [key for key in told.keys if key != one.key]
    of = "" if isinstance(one, City) else str(one.sheet.role(one.row, "region") or "")
    return {
        "name": one.name,
        "url": one.url,
        "of": of,
        "without": address(rest, period=told.period),
    }


async def _csv(page: Page, computing: Computing, reader: Reader) -> Response:
    told = await _chosen(page, computing, reader)
    if told.late:
        return later(page)
    body = table_csv(_blocks(page, told))
    return _file(body, "text/csv; charset=utf-8", "cities.csv")


async def _svg(page: Page, computing: Computing, reader: Reader) -> Response:
    """Bars for every line, as one picture."""
    told = await _chosen(page, computing, reader)
    if told.late:
        return later(page)
    names = ", ".join(_timed(page, one) for one in told.every)
    body = bars_figure(page.t("Side by side"), names, _bars(_blocks(page, told)), "rynek")
    return _file(body, "image/svg+xml", "cities.svg")


def _timed(page: Page, one: City | Unit) -> str:
    """A name, and the time that its values are of."""
    span = span_of(page.t, one) if isinstance(one, City) else ""
    return f"{one.name} ({span})" if span else one.name


def _bars(
    blocks: Sequence[Block],
) -> list[tuple[str, list[tuple[str, list[tuple[str, str, float | None]]]]]]:
    return [
        (
            block.title,
            [
                (
                    line.name,
                    [
                        (name, cell.text, cell.share)
                        for (name, _), cell in zip(block.heads, line.cells, strict=True)
                    ],
                )
                for line in block.lines
            ],
        )
        for block in blocks
    ]


async def _embed(page: Page, computing: Computing, reader: Reader) -> Response:
    told = await _chosen(page, computing, reader)
    query = address(told.keys, period=page.param("period"))
    return page.render(
        "cities_embed.html",
        allow={"frame-ancestors": ["*"]},
        title=", ".join(one.name for one in told.every),
        blocks=_blocks(page, told),
        late=told.late,
        period=told.period,
        url=f"{page.root}/cities?{query}",
    )


async def _unit(page: Page, computing: Computing, reader: Reader) -> Response:
    """One row of a reference table among those of its kind and size."""
    del computing
    name, key = page.request.path_params["table"], page.request.path_params["key"]
    try:
        sheet = await asyncio.to_thread(reader.find, name)
    except Problem:
        raise NotFound(page.t("There is no such table here.")) from None
    if key not in sheet.place:
        raise NotFound(page.t("There is no such place in the table."))
    told: dict[str, Any] = await asyncio.to_thread(among, page.t, sheet, sheet.place[key])
    own = f"{name}:{key}"
    return page.render(
        "cities_unit.html",
        nav="compare",
        **told,
        beside=address([own, *told["near"][: MOST - 1]]),
        public=f"{page.site.engine.public_url}/cities/{name}/{key}",
        api=f"{page.root}/api/indicators/v1/tables/{name}/rows?key={key}",
    )


def _file(body: str, kind: str, name: str) -> Response:
    told = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=kind, headers=told | {"Cache-Control": "private, no-cache"})
