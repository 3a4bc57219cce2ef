"""/api/practices/v1: practice cards as JSON and NGSI-LD, their versions, and changes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, Forbidden, InvalidRequest, ResourceNotFound
from rynek.practices import say
from rynek.practices.cards import (
    Cards,
    Result,
    Seen,
    Viewer,
    Wanted,
    Written,
    compared_costs,
    compared_document,
    read_document,
    refuse_unknown,
)
from rynek.practices.cards import entities as as_entities
from rynek.practices.search import alike_document, cards_like
from rynek.web.api.receiving import Bodies
from rynek.web.contract import Text
from rynek.web.i18n import negotiate
from rynek.web.practices.bodies import read_card, read_text, read_version
from rynek.web.practices.description import description
from rynek.web.practices.moving import PARAMETERS as MOVED
from rynek.web.practices.moving import moved, read_like
from rynek.web.practices.searching import answer
from rynek.web.problems import answered

__all__ = ["PREFIX", "names_of_owner", "routes"]

PREFIX: Final = "/api/practices/v1"
_MOST: Final = 100
_LD: Final = "application/ld+json"
_FILTERS: Final = ("theme", "cluster", "verdict", "status", "country", "owner")
_NO_STORE: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept"}

_Work = Callable[["_Asked"], Awaitable[Response]]


class _Asked:
    """One request: the cards, who looks, and the body."""

    def __init__(self, engine: Any, bodies: Bodies, request: Request) -> None:
        self.engine = engine
        self.request = request
        self._bodies = bodies

    @property
    def cards(self) -> Cards:
        """The store."""
        found: Cards = self.engine.cards
        return found

    @property
    def viewer(self) -> Viewer:
        """Who looks."""
        found: Viewer = self.request.state.viewer
        return found

    @property
    def id(self) -> str:
        """The card's id in the path."""
        return str(self.request.path_params["id"])

    async def document(self, allowed: frozenset[str]) -> dict[str, Any]:
        """The body: an object with `allowed` members."""
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        body = await self._bodies.read(self.request.receive, headers)
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        found = read_document(body, ".toml" if media == "application/toml" else ".json")
        for name in found:
            if name not in allowed:
                raise BadRequestData(say("card-member", name=name[:60], known=sorted(allowed)))
        return found

    def number(self, name: str, default: int, most: int) -> int:
        """A query parameter that is a number from 0 to `most`."""
        text = self.request.query_params.get(name, str(default))
        if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) <= most):
            raise InvalidRequest(say("parameter-number", name=name, least=0, most=most))
        return int(text)

    def refuse_unknown(self, *known: str) -> None:
        """InvalidRequest for parameters that are none."""
        for name in self.request.query_params:
            if name not in known:
                told = {"name": name[:60], "known": known}
                raise InvalidRequest(
                    say("parameter-unknown" if known else "parameter-none", **told)
                )


def names_of_owner(engine: Any, owner: str) -> list[str]:
    """What the city of a tenant is called: a nameless card may say none of it."""
    tenant = engine.tenants.get(owner)
    if tenant is None:
        return []
    name: Text = tenant.city.name
    return [name] if isinstance(name, str) else list(name.values())


def routes(engine: Any, bodies: Bodies) -> list[Route]:
    """The API's paths."""
    table: list[tuple[str, str, _Work]] = [
        ("/cards", "GET", _list),
        ("/cards", "POST", _add),
        ("/cards/{id}", "GET", _show),
        ("/cards/{id}", "PUT", _change),
        ("/cards/{id}", "DELETE", _remove),
        ("/cards/{id}/versions", "GET", _versions),
        ("/cards/{id}/versions/{version}", "GET", _earlier),
        ("/cards/{id}/restore", "POST", _restore),
        ("/cards/{id}/answers", "GET", _answers),
        ("/cards/{id}/entities", "GET", _entities),
        ("/moved", "GET", _moved),
        ("/openapi.json", "GET", _described),
    ]
    return [
        Route(PREFIX + path, partial(_guarded, engine, bodies, work), methods=[method])
        for path, method, work in table
    ]


async def _guarded(engine: Any, bodies: Bodies, work: _Work, request: Request) -> Response:
    language = negotiate(None, None, request.headers.get("accept-language"))
    return await answered(work(_Asked(engine, bodies, request)), language)


async def _list(asked: _Asked) -> Response:
    """Cards that the client may see: the last changed first, or those that `q` finds, best first."""
    if "q" in asked.request.query_params:
        query, readable = asked.request.query_params, asked.request.state.readable
        await _refuse_filters(asked)
        return _answer(await asyncio.to_thread(answer, asked.engine, asked.viewer, readable, query))
    asked.refuse_unknown(*_FILTERS, "like", "population", "limit", "offset")
    query = asked.request.query_params
    wanted = Wanted(**{name: query.get(name, "")[:200] for name in _FILTERS})
    await _refuse_filters(asked)
    limit, offset = asked.number("limit", 20, _MOST), asked.number("offset", 0, 10**9)
    if query.get("population") or query.get("like"):
        near = await asyncio.to_thread(_near, asked, wanted)
        some = [_shown(seen) | told for seen, told in near[offset : offset + limit]]
        return _answer({"total": len(near), "cards": some})
    listed, total = await asyncio.to_thread(
        asked.cards.listed,
        asked.viewer,
        wanted,
        offset=offset,
        limit=limit,
    )
    return _answer({"total": total, "cards": [_shown(each) for each in listed]})


def _near(asked: _Asked, wanted: Wanted) -> list[tuple[Seen, dict[str, Any]]]:
    """Cards by how like their cities are to the one that asks, each with what is said of that."""
    told = {name: asked.request.query_params.get(name, "") for name in ("like", "population")}
    like = read_like(told, asked.engine, asked.request.state.readable)
    found = cards_like(asked.cards, wanted, asked.viewer, like)
    return [
        (seen, {} if alike is None else {"alike": alike_document(alike)}) for seen, alike in found
    ]


async def _refuse_filters(asked: _Asked) -> None:
    query = asked.request.query_params
    given = [query.get(name, "") for name in ("theme", "cluster")]
    await asyncio.to_thread(refuse_unknown, asked.cards, asked.viewer, *given)


async def _moved(asked: _Asked) -> Response:
    """What moved an indicator elsewhere: cards with an answer about it, then those of its theme."""
    asked.refuse_unknown(*MOVED)
    offset, limit = asked.number("offset", 0, 10**6), asked.number("limit", 20, _MOST)
    query, readable = asked.request.query_params, asked.request.state.readable
    return _answer(
        await asyncio.to_thread(moved, asked.engine, asked.viewer, readable, query, offset, limit)
    )


async def _show(asked: _Asked) -> Response:
    """A card: JSON, or its entities where application/ld+json is asked for."""
    if _LD in asked.request.headers.get("accept", ""):
        return await _entities(asked)
    asked.refuse_unknown()
    seen = await asyncio.to_thread(asked.cards.get, asked.id, asked.viewer)
    engine = asked.engine
    costs = await asyncio.to_thread(
        compared_costs, seen.card, engine.references, engine.clock.now()
    )
    told = None if costs is None else [compared_document(one) for one in costs]
    edits = asked.viewer.edits(seen.owner)
    return _whole(asked.cards, seen, more={"costs_compared": told}, edits=edits)


async def _entities(asked: _Asked) -> Response:
    """A card and its answers as NGSI-LD entities (normalized)."""
    asked.refuse_unknown()
    seen = await asyncio.to_thread(asked.cards.get, asked.id, asked.viewer)
    made = as_entities(seen, asked.cards.answered(seen))
    return Response(orjson.dumps(made), media_type=_LD, headers=_NO_STORE)


async def _earlier(asked: _Asked) -> Response:
    """An earlier version of a card."""
    asked.refuse_unknown()
    text = asked.request.path_params["version"]
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ResourceNotFound(say("version-none", version=text[:40]))
    return _answer(
        _shown(await asyncio.to_thread(asked.cards.get, asked.id, asked.viewer, int(text)))
    )


async def _versions(asked: _Asked) -> Response:
    """Every version of a card: number, when, by whom, why."""
    asked.refuse_unknown()
    found = await asyncio.to_thread(asked.cards.versions, asked.id, asked.viewer)
    return _answer({"versions": [_written(each) for each in found]})


async def _answers(asked: _Asked) -> Response:
    """The effects that were computed for a card's questions, with every figure."""
    asked.refuse_unknown()
    seen = await asyncio.to_thread(asked.cards.get, asked.id, asked.viewer)
    return _answer({"answers": _computed(asked.cards.answered(seen))})


async def _add(asked: _Asked) -> Response:
    """A new card: `id`, `card`, `owner` and `door`."""
    told = await asked.document(frozenset(("id", "card", "owner", "door", "note")))
    owner = read_text(told, "owner", str(asked.engine.default_tenant))
    _may_write(asked, owner)
    kept = await asyncio.to_thread(
        asked.cards.add,
        read_text(told, "id"),
        read_card(told),
        owner=owner,
        door=told.get("door", "owner"),
        who=asked.request.state.who,
        note=read_text(told, "note", ""),
        aliases=names_of_owner(asked.engine, owner),
    )
    answer = _whole(asked.cards, kept.whole(), 201)
    answer.headers["Location"] = f"{PREFIX}/cards/{kept.id}"
    return answer


async def _change(asked: _Asked) -> Response:
    """A new version of a card; `version` names the one that it is made on (409 where another came
    in between)."""
    told = await asked.document(frozenset(("card", "door", "note", "version")))
    owner = await _owner(asked)
    kept = await asyncio.to_thread(
        asked.cards.change,
        asked.id,
        read_card(told),
        version=read_version(told.get("version")),
        door=told.get("door"),
        who=asked.request.state.who,
        note=read_text(told, "note", ""),
        aliases=names_of_owner(asked.engine, owner),
    )
    return _whole(asked.cards, kept.whole())


async def _remove(asked: _Asked) -> Response:
    """Take a card away; its versions stay and one can be restored. `version` as a parameter."""
    asked.refuse_unknown("version")
    await _owner(asked)
    version = asked.number("version", 0, 10**9)
    await asyncio.to_thread(
        asked.cards.remove, asked.id, version=read_version(version), who=asked.request.state.who
    )
    return Response(status_code=204)


async def _restore(asked: _Asked) -> Response:
    """Undo: the words of an `earlier` version as the newest, also of a card that was removed."""
    told = await asked.document(frozenset(("earlier", "version", "note")))
    await _owner(asked)
    kept = await asyncio.to_thread(
        asked.cards.restore,
        asked.id,
        read_version(told.get("earlier"), "earlier"),
        version=read_version(told.get("version")),
        who=asked.request.state.who,
        note=read_text(told, "note", ""),
    )
    return _whole(asked.cards, kept.whole())


async def _described(asked: _Asked) -> Response:
    """This API as an OpenAPI document."""
    base = asked.engine.settings.server.base_path
    return Response(orjson.dumps(description(base + PREFIX)), media_type="application/json")


async def _owner(asked: _Asked) -> str:
    """The owner of the card, which the client must be able to write; a card that it does not see
    is not there."""
    stored = await asyncio.to_thread(asked.cards.find, asked.id)
    edits = stored is not None and asked.viewer.edits(stored.owner)
    if stored is None or not (edits or asked.viewer.passes(stored.door, stored.owner)):
        raise ResourceNotFound(say("card-none", id=asked.id[:80]))
    if not edits:
        if stored.written.removed:
            raise ResourceNotFound(say("card-none", id=asked.id[:80]))
        raise Forbidden(say("card-others"))
    return stored.owner


def _may_write(asked: _Asked, owner: str) -> None:
    if owner and owner not in asked.engine.tenants:
        raise BadRequestData(say("card-tenant", name=owner[:80]))
    if not asked.viewer.edits(owner):
        raise Forbidden(say("card-owner-not", name=owner[:80]))


def _answer(document: Any, status: int = 200) -> JSONResponse:
    return JSONResponse(document, status, _NO_STORE)


def _whole(
    cards: Cards,
    seen: Seen,
    status: int = 200,
    more: dict[str, Any] | None = None,
    *,
    edits: bool = False,
) -> JSONResponse:
    told = _shown(seen) | {"answers": _computed(cards.answered(seen))} | (more or {})
    if edits:
        told["computed_last"] = {
            key: {"at": to_iso(one.at)} | one.document()
            for key, one in cards.attempts.all(seen.id).items()
        }
    answer = _answer(told, status)
    answer.headers["ETag"] = f'"{seen.seq}"'
    return answer


def _shown(seen: Seen) -> dict[str, Any]:
    return seen.document() | {"changed": to_iso(seen.written.at)}


def _written(each: Written) -> dict[str, Any]:
    told: dict[str, Any] = {"version": each.version, "at": to_iso(each.at)}
    for name in ("who", "note", "removed"):
        if getattr(each, name):
            told[name] = getattr(each, name)
    return told


def _computed(answers: dict[str, Result]) -> dict[str, Any]:
    return {
        key: {
            "number": one.number,
            "at": to_iso(one.at),
            "specification": one.specification,
            "input": one.input,
            "rynek": one.rynek,
            "result": one.document,
        }
        for key, one in answers.items()
    }
