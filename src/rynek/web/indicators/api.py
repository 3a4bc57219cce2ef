"""/api/indicators/v1: definitions, values of cities with their origin, trends, reference tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rynek.base.clock import to_iso
from rynek.base.errors import InvalidRequest
from rynek.indicators import (
    LANGUAGES,
    Definition,
    Period,
    definitions,
    find_definition,
    value_document,
)
from rynek.web.contract import said
from rynek.web.indicators.asking import Asked
from rynek.web.indicators.computing import LATER, Computing, Found
from rynek.web.indicators.description import PREFIX, description
from rynek.web.indicators.downloads import values_csv
from rynek.web.indicators.periods import EVERY, fixed, read_period, trend
from rynek.web.indicators.tables import Reader, table_about, table_csv, table_rows, tables_list
from rynek.web.problems import answered

__all__ = ["routes"]

_NO_STORE: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept"}
_MOST_PERIODS: Final = 12
_MOST_STEPS: Final = 62
_MOST_SERIES: Final = 10
_PATIENCE: Final = (10, 0, 30)
_AGAIN_S: Final = 2
_MOST_ROWS: Final = 2_000

_Work = Callable[[Asked], Awaitable[Response]]


def routes(engine: Any, computing: Computing, reader: Reader) -> list[Route]:
    """The API's paths."""
    table: list[tuple[str, _Work]] = [
        ("/definitions", _definitions),
        ("/definitions/{id}", _definition),
        ("/cities", _cities),
        ("/cities/{tenant}/values", _values),
        ("/cities/{tenant}/trend", _trend),
        ("/tables", _tables),
        ("/tables/{table}", _table),
        ("/tables/{table}/rows", _rows),
        ("/openapi.json", _described),
    ]
    return [
        Route(PREFIX + path, partial(_guarded, work, (engine, computing, reader)), methods=["GET"])
        for path, work in table
    ]


async def _guarded(work: _Work, rooms: tuple[Any, Computing, Reader], request: Request) -> Response:
    return await answered(work(Asked(*rooms, request)))


async def _definitions(asked: Asked) -> Response:
    """Every indicator that comes with rynek; names in all languages, or in one."""
    asked.refuse_unknown("language", "theme", "indicator")
    given = asked.language if "language" in asked.request.query_params else None
    theme, named = asked.text("theme"), asked.many("indicator")
    found = [find_definition(one) for one in named] or list(definitions())
    chosen = [one for one in found if theme in ("", one.theme)]
    told = [_told(one, given) for one in chosen]
    return _answer({"languages": list(LANGUAGES), "definitions": told})


async def _definition(asked: Asked) -> Response:
    """One indicator: what it is, its unit and direction, and how it is computed."""
    asked.refuse_unknown("language")
    given = asked.language if "language" in asked.request.query_params else None
    return _answer(_told(find_definition(asked.name("id")), given))


def _told(one: Definition, language: str | None) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(one)
    if language is not None:
        made["name"], made["description"] = one.name[language], one.description[language]
    return made


async def _cities(asked: Asked) -> Response:
    """The cities that the client may read."""
    asked.refuse_unknown("language")
    language, readable = asked.language, asked.request.state.readable
    runs = await asyncio.to_thread(asked.engine.publications.all)
    found = [
        {
            "id": name,
            "name": said(tenant.city.name, language),
            "country": tenant.city.country,
            "zone": tenant.city.zone,
            "now": to_iso(tenant.clock.now()),
            "recording": tenant.city.recording is not None,
            "published": [
                {
                    "period": run.period,
                    "at": to_iso(run.at),
                    "entities": run.published,
                    "without_value": run.without,
                    "failed": bool(run.problem),
                }
                for run in runs
                if run.city == name and (run.published or run.problem)
            ],
        }
        for name, tenant in asked.engine.tenants.items()
        if readable(name)
    ]
    return _answer({"cities": found})


async def _values(asked: Asked) -> Response:
    """The values of a city for up to 12 periods, each with coverage, interval and provenance."""
    asked.refuse_unknown("period", "indicator", "theme", "things", "language", "format", "wait")
    tenant, csv, language = asked.tenant, asked.csv, asked.language
    things, wanted = asked.flag("things"), asked.wanted()
    if csv and things:
        raise InvalidRequest("things: is for format=json")
    names = asked.many("period", _MOST_PERIODS) or ["P7D"]
    now, zone = tenant.clock.now(), tenant.city.zone
    periods = [read_period(one, now, zone) for one in names]
    wait = float(asked.number("wait", *_PATIENCE))
    found = [
        await asked.computing.find(tenant, one, wanted, patience=wait if n == 0 else wait / 4)
        for n, one in enumerate(periods)
    ]
    _raise_first(found)
    if csv and all(one.complete for one in found):
        values = [value for one in found for value in one.values]
        return _file(values_csv(tenant.name, values, language), f"{tenant.name}-indicators.csv")
    told = [
        _period(one, period)
        | {"values": [value_document(value, language, things=things) for value in one.values]}
        for one, period in zip(found, periods, strict=True)
    ]
    return _maybe(found, {"city": _city(tenant, language), "periods": told})


async def _trend(asked: Asked) -> Response:
    """Series of up to 10 indicators by hour, day, week, month or year."""
    asked.refuse_unknown("indicator", "every", "last", "language", "format", "wait")
    tenant, csv, language = asked.tenant, asked.csv, asked.language
    wanted = [find_definition(one) for one in asked.many("indicator", _MOST_SERIES)]
    if not wanted:
        raise InvalidRequest("indicator: one at least, by its id; /definitions has them")
    every = asked.one_of("every", EVERY, "day")
    many = asked.number("last", 7, 1, _MOST_STEPS)
    steps = trend(every, tenant.clock.now(), tenant.city.zone, many)
    wait = float(asked.number("wait", *_PATIENCE))
    # All are asked for at once, then waited for together.
    for one in steps:
        await asked.computing.find(tenant, one, wanted, patience=0, urgency=LATER)
    until = asyncio.get_running_loop().time() + wait
    found = []
    for one in steps:
        left = max(0.0, until - asyncio.get_running_loop().time())
        found.append(await asked.computing.find(tenant, one, wanted, patience=left, urgency=LATER))
    _raise_first(found)
    if csv and all(one.complete for one in found):
        values = [value for one in found for value in one.values]
        return _file(values_csv(tenant.name, values, language), f"{tenant.name}-trend.csv")
    series = [
        {
            "id": one.id,
            "name": one.name[language],
            "unit": one.unit,
            "unitCode": one.unit_code,
            "direction": one.direction,
            "points": [
                _point(each, part.values, one.id) for part, each in zip(found, steps, strict=True)
            ],
        }
        for one in wanted
    ]
    return _maybe(found, {"city": _city(tenant, language), "every": every, "series": series})


def _point(period: Period, values: list[Any], name: str) -> dict[str, Any]:
    value = next((one for one in values if one.definition.id == name), None)
    made = {"period": period.label, "start": to_iso(period.start), "end": to_iso(period.end)}
    if value is None:
        return made | {"status": "not computed yet, or no such things", "value": None}
    return made | {
        "status": value.status,
        "value": value.value,
        "coverage": value.coverage,
        "interval": value.interval,
        "things": len(value.things),
        "readings": value.readings,
    }


def _period(found: Found, period: Period) -> dict[str, Any]:
    # What ends now was computed a moment ago: the values are of then.
    period = found.period or period
    return {
        "label": period.label,
        "start": to_iso(period.start),
        "end": to_iso(period.end),
        "zone": period.zone,
        "permanent": fixed(period),
        "computed_at": None if found.at is None else to_iso(found.at),
    }


def _city(tenant: Any, language: str) -> dict[str, str]:
    return {"id": tenant.name, "name": said(tenant.city.name, language)}


def _raise_first(found: list[Found]) -> None:
    for one in found:
        if one.problem is not None:
            raise one.problem


def _maybe(found: list[Found], told: dict[str, Any]) -> Response:
    """The whole answer, or 202 with what there is of it and when to ask again."""
    done, total = sum(one.done for one in found), sum(one.total for one in found)
    if done == total:
        return _answer(told)
    state = {"status": "being computed", "done": done, "total": total}
    answer = _answer(state | told, 202)
    answer.headers["Retry-After"] = str(_AGAIN_S)
    return answer


async def _tables(asked: Asked) -> Response:
    """The reference tables: what each holds, of whom, on which terms."""
    asked.refuse_unknown("language")
    return _answer(await asyncio.to_thread(tables_list, asked.reader, asked.language))


async def _table(asked: Asked) -> Response:
    """One reference table: its columns with units, periods and notes, and its versions."""
    asked.refuse_unknown("version")
    version = asked.version
    return _answer(await asyncio.to_thread(table_about, asked.reader, asked.name("table"), version))


async def _rows(asked: Asked) -> Response:
    """Rows of a reference table: by key, or those whose name holds `q`."""
    asked.refuse_unknown("version", "key", "q", "column", "limit", "offset", "format")
    keys, columns, text = asked.many("key"), asked.many("column"), asked.text("q")
    page = (asked.number("offset", 0, 0, 10**9), asked.number("limit", 20, 0, _MOST_ROWS))
    name, version, csv = asked.name("table"), asked.version, asked.csv
    sheet = await asyncio.to_thread(asked.reader.find, name, version)
    if csv:
        made = await asyncio.to_thread(table_csv, sheet, keys, text, columns, page)
        return _file(made, f"{name}.csv")
    return _answer(await asyncio.to_thread(table_rows, sheet, keys, text, columns, page))


async def _described(asked: Asked) -> Response:
    """This API as an OpenAPI document."""
    base = asked.engine.settings.server.base_path
    return Response(orjson.dumps(description(base + PREFIX)), media_type="application/json")


def _answer(document: Any, status: int = 200) -> JSONResponse:
    return JSONResponse(document, status, _NO_STORE)


def _file(text: str, name: str) -> Response:
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "_" for c in name)
    told = {"Content-Disposition": f'attachment; filename="{safe[-120:]}"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=_NO_STORE | told)
