"""The page for integrators: the API, examples, who is notified, who is asked, what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rynek.base.clock import parse_iso
from rynek.base.errors import NonexistentTenant, Problem
from rynek.web.changes import Asked
from rynek.web.pages import delivery, description
from rynek.web.pages.shell import NotFound, Page, Site, city_path, entity_path
from rynek.web.pages.stream import stream_of
from rynek.web.problems import document_of

__all__ = ["routes"]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


_ROWS: Final = 30
_OPS: Final = {
    "create": N_("created"),
    "update": N_("changed"),
    "delete": N_("deleted"),
    "observe": N_("seen again"),
}
# Names of the groups of operations; web/api/openapi.py has them in English.
_GROUPS: Final = {
    "Entities": N_("Entities"),
    "Batches and queries": N_("Batches and queries"),
    "Discovery": N_("Types and attributes"),
    "History": N_("The past"),
    "Subscriptions": N_("Subscriptions"),
    "Context sources": N_("Context sources"),
    "@contexts": N_("@contexts"),
    "Entity maps": N_("Entity maps"),
    "Snapshots": N_("Snapshots"),
    "This description": N_("This description"),
}


class Row(msgspec.Struct):
    """One change, in words."""

    seq: str
    at: str
    iso: str
    op: str
    entity_id: str
    url: str
    type: str
    attributes: str
    source: str


class Changes(msgspec.Struct):
    """The shown part of the change stream, newest first; links to older and newer parts."""

    rows: list[Row]
    total: str
    older: str
    newer: str
    missed: bool
    last: int
    words: dict[str, str]


async def show(page: Page) -> Response:
    """The page."""
    if page.tenant is None:
        raise NotFound
    replay = page.param("replay") if page.writable else ""
    told = delivery.subscriptions(page)
    asked = delivery.sources(page)
    address = _address(page.request) + page.root
    return page.render(
        "developers.html",
        nav="developers",
        api=f"{address}/ngsi-ld/v1",
        groups=description.groups(),
        group_words=_GROUPS,
        examples=description.examples(address, page.tenant.name),
        told=told,
        asked=asked,
        contexts=delivery.contexts(page),
        changes=await _changes(page),
        confirm=delivery.dead_letters(page, replay) if replay else None,
        replayed=_replayed(page),
    )


def _address(request: Request) -> str:
    """Scheme and host by which the visitor knows the service."""
    return f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"


def _replayed(page: Page) -> str:
    """What came of a replay that the visitor asked for."""
    text = page.param("replayed")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return ""
    return page.t.n(
        "%(num)s notification is in line again.",
        "%(num)s notifications are in line again.",
        int(text),
    )


async def _changes(page: Page) -> Changes:
    log = page.tenant.context.changes
    newest = int(log.head())
    text = page.param("after")
    given = text.isascii() and text.isdigit() and len(text) < 19
    start = min(int(text), newest) if given else max(0, newest - _ROWS)
    stream = await stream_of(page.tenant)
    found, last = await stream.page(Asked(after=start, limit=_ROWS, values=False, wait=0))
    oldest = int(log.oldest())
    first = found[0]["seq"] if found else last + 1
    return Changes(
        rows=[_row(page, change) for change in reversed(found)],
        total=page.t.number(newest, 0),
        older=_part(page, max(oldest - 1, first - 1 - _ROWS)) if first > oldest else "",
        newer=_part(page, last) if last < newest else "",
        missed=given and start + 1 < oldest,
        last=last,
        words={name: page.t(word) for name, word in _OPS.items()},
    )


def _part(page: Page, after: int) -> str:
    return page.here(after=str(max(0, after)), replay="", replayed="") + "#changes"


def _row(page: Page, change: dict[str, Any]) -> Row:
    at = parse_iso(change["at"])
    gone = [each["attribute"] for each in change.get("deleted", ())]
    names = [*change["attributes"], *(f"−{name}" for name in dict.fromkeys(gone))]
    return Row(
        seq=page.t.number(change["seq"], 0),
        at=page.t.moment(at, page.zone),
        iso=change["at"],
        op=page.t(_OPS.get(change["op"], change["op"])),
        entity_id=change["id"],
        url=entity_path(page.base, change["id"]) if change["op"] != "delete" else "",
        type=", ".join(change["type"]),
        attributes=", ".join(names),
        source=change["source"],
    )


class _Replay:
    """Puts the dead letters of a subscription in line again."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def post(self, request: Request) -> Response:
        """POST: rights and the origin of the form were looked at before (asgi._Guarded)."""
        engine = self._site.engine
        name = request.path_params.get("tenant", engine.default_tenant)
        try:
            if name not in engine.tenants:
                raise NonexistentTenant(f"no tenant {name!r}")
            tenant = engine.tenant(name)
            subscription_id = request.query_params.get("id", "")[:2048]
            count = await _owner(tenant, subscription_id).replay(subscription_id)
        except Problem as problem:
            return JSONResponse(document_of(problem), problem.status)
        base = city_path(name) if "tenant" in request.path_params else ""
        target = f"{self._site.root}{base}/developers?{urlencode({'replayed': count})}"
        return RedirectResponse(f"{target}#subscriptions", 303)


def _owner(tenant: Any, subscription_id: str) -> Any:
    """Which of both kinds of subscriptions has that id; those of entities answer where none has."""
    others = tenant.source_subscriptions
    return others if others.find(subscription_id) is not None else tenant.subscriptions


def routes(site: Site) -> Sequence[Route]:
    """`…/developers` and the confirmed action on it."""
    replay = _Replay(site)
    return [
        *site.city("/developers", show),
        *(
            Route(f"{start}/developers/replay", replay.post, methods=["POST"])
            for start in ("/c/{tenant}", "")
        ),
    ]
