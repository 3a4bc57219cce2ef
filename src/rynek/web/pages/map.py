"""The city's map and what it asks for: features of a view, the event stream, legend, search."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import orjson
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from rynek.web.basemap import Layer, layers_for, read_layer
from rynek.web.contract import Engine, said
from rynek.web.live import Hubs, LiveHub
from rynek.web.live_lines import Lines
from rynek.web.live_schedule import Scheduled
from rynek.web.live_stream import MAX_WATCHERS
from rynek.web.live_table import STATUSES
from rynek.web.live_view import Box
from rynek.web.pages.labels import attribute, type_name
from rynek.web.pages.shell import Page, Site, city_path, entity_path
from rynek.web.pages.values import told_id
from rynek.web.themes import SPOKEN, STATUS_WORDS, THEME_INDEX, THEMES

__all__ = ["hubs_of", "routes"]

_JSON: Final = "application/json"
_GEO_JSON: Final = "application/geo+json"
_DAY: Final = 86_400
_PATIENCE_S: Final = 2.0  # a page may wait this long for the first picture
_hubs: WeakKeyDictionary[Engine, Hubs] = WeakKeyDictionary()
_extras: WeakKeyDictionary[LiveHub, tuple[Scheduled, Lines]] = WeakKeyDictionary()


def hubs_of(engine: Engine) -> Hubs:
    """The live hubs of an engine; they begin when asked for and end with `engine.stopping`."""
    hubs = _hubs.get(engine)
    if hubs is None:
        hubs = _hubs[engine] = Hubs(engine.tenants, getattr(engine, "stopping", None))
    return hubs


def _schedule_of(page: Page, hub: LiveHub) -> tuple[Scheduled, Lines]:
    extras = _extras.get(hub)
    if extras is None:
        scheduled = Scheduled(page.tenant)
        extras = scheduled, Lines(hub, scheduled, page.tenant.reference)
        _extras[hub] = extras
    return extras


def routes(site: Site) -> list[Route]:
    """`/c/<tenant>/` and everything under `/c/<tenant>/map/` and `/map/`."""
    hubs = hubs_of(site.engine)

    def city(path: str, handler: Any) -> list[Route]:
        async def with_hub(page: Page) -> Response:
            answer: Response = await handler(page, hubs.get(page.tenant.name))
            return answer

        return site.city(path, with_hub)

    async def network(page: Page) -> Response:
        return _json(_network(page, hubs), _GEO_JSON)

    return [
        *city("/", show),
        *city("/map/features", features),
        *city("/map/stream", stream),
        *city("/map/legend", legend),
        *city("/map/search", search),
        *city("/map/scheduled", scheduled_vehicles),
        *city("/map/lines.geojson", lines),
        *city("/map/traces.geojson", traces),
        *site.city("/map/base/{layer}.geojson", base),
        site.plain("/map/network", network),
    ]


def _json(body: object, media: str = _JSON, status: int = 200) -> Response:
    answer = Response(orjson.dumps(body), status, media_type=media)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _wrong(page: Page, detail: str) -> Response:
    body = {"title": page.t("Invalid request"), "status": 400, "detail": detail}
    return _json(body, "application/problem+json", 400)


def parse_box(text: str) -> Box | None:
    """`west,south,east,north` in degrees; None for an empty text; ValueError for a wrong one."""
    if not text:
        return None
    parts = [float(part) for part in text.split(",")]
    if len(parts) != 4 or not all(math.isfinite(part) for part in parts):
        raise ValueError("bbox is west,south,east,north in degrees")
    west, south, east, north = parts
    if south > north:
        raise ValueError("bbox: south is above north")
    if east - west >= 360:
        return -180.0, south, 180.0, north
    return (west + 180) % 360 - 180, south, (east + 180) % 360 - 180, north


def _words(text: str, known: dict[str, int]) -> list[int]:
    """Comma-separated keys as indexes; all of them where none is named; ValueError if unknown."""
    if not text:
        return list(known.values())
    names = [name for name in text.split(",") if name and name != "none"]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"unknown: {unknown[0][:40]}; known: {', '.join(known)}")
    return [known[name] for name in names]


async def features(page: Page, hub: LiveHub) -> Response:
    """What is in `bbox` at `zoom`, of `themes` and `status`: points, or clusters when too many."""
    try:
        box = parse_box(page.param("bbox"))
        zoom = min(24.0, max(0.0, float(page.param("zoom", "11"))))
        themes = _words(page.param("themes"), THEME_INDEX)
        states = page.param("status")
        chosen = _words(states, {name: i for i, name in enumerate(STATUSES)}) if states else None
        limit = int(page.param("limit", "3000"))
        if not math.isfinite(zoom):
            raise ValueError("zoom is a number from 0 to 24")
    except ValueError as error:
        return _wrong(page, str(error))
    return _json(hub.features(box, zoom, themes, limit, chosen), _GEO_JSON)


async def legend(_page: Page, hub: LiveHub) -> Response:
    """Counts by theme, status and type."""
    return _json(hub.legend())


async def search(page: Page, hub: LiveHub) -> Response:
    """Things whose name, label or id contains the words of `q`; at most 20."""
    found = await hub.search(page.param("q")[:100])
    return _json({"type": "FeatureCollection", "features": found}, _GEO_JSON)


async def scheduled_vehicles(page: Page, hub: LiveHub) -> Response:
    """Where the timetable has vehicles in `bbox` at the tenant's time."""
    try:
        box = parse_box(page.param("bbox"))
    except ValueError as error:
        return _wrong(page, str(error))
    return _json(await _schedule_of(page, hub)[0].vehicles(box), _GEO_JSON)


async def lines(page: Page, hub: LiveHub) -> Response:
    """The ways of the lines (from the schedule), simplified, as one geometry."""
    body, tag = await _schedule_of(page, hub)[1].geojson()
    return _static(page.request, body, tag, 60)


async def traces(page: Page, hub: LiveHub) -> Response:
    """Where vehicles have been, as one geometry."""
    body, tag = hub.traces()
    return _static(page.request, body, tag, 20)


async def base(page: Page) -> Response:
    """One layer of the built-in base map."""
    name = page.request.path_params["layer"]
    # The network's map asks here too, also for those who may not read the default tenant.
    tenant = page.tenant.name if page.tenant and page.tenant.name in page.tenants else None
    if name not in {layer.name for layer in layers_for(tenant)}:
        body = {"title": page.t("Page not found"), "status": 404}
        return _json(body, "application/problem+json", 404)
    body_bytes, tag = read_layer(name)
    return _static(page.request, body_bytes, tag, _DAY)


def _static(request: Request, body: bytes, tag: str, seconds: int) -> Response:
    headers = {"ETag": f'"{tag}"', "Cache-Control": f"public, max-age={seconds}"}
    if f'"{tag}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=_GEO_JSON, headers=headers)


async def stream(page: Page, hub: LiveHub) -> Response:
    """Server-sent events: `hello`, `changes`, `resync`, `bye`; see docs/map.md."""
    if len(hub.stream.watchers) >= MAX_WATCHERS:
        return _json({"title": page.t("Too many open streams"), "status": 503}, _JSON, 503)
    last = page.request.headers.get("last-event-id") or page.param("last")
    since = int(last) if last.isdecimal() and len(last) < 19 else None

    def clock() -> bytes:
        return orjson.dumps(clock_of(page.tenant))

    stopping = getattr(page.site.engine, "stopping", None) or asyncio.Event()
    answer = StreamingResponse(
        _bytes(hub.stream.follow(clock, since, stopping)), media_type="text/event-stream"
    )
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


async def _bytes(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for part in parts:
        if part:
            yield part


def clock_of(tenant: Any) -> dict[str, Any]:
    """The tenant's time in epoch milliseconds, and how fast it runs.

    A recording's speed may be 10; it is 0 once it has come to its end and stands still.
    """
    clock = tenant.clock
    now = clock.now()
    ended = now >= getattr(clock, "end", now + 1)
    return {
        "now": now // 1000,
        "speed": 0.0 if ended else float(getattr(clock, "speed", 1.0)),
        "recording": tenant.city.recording is not None,
    }


async def show(page: Page, hub: LiveHub) -> Response:
    """The page: the map for those with scripts, counts and the newest things for everyone."""
    await hub.ready(_PATIENCE_S)
    counts = hub.legend()
    themes = [theme for theme in THEMES if theme.key in counts["themes"]]
    newest = {theme.key: hub.latest(THEME_INDEX[theme.key], 15) for theme in themes}
    unplaced, unplaced_count = hub.unplaced(200)
    settings = getattr(page.site.engine.settings, "map", None)
    tile_url = getattr(settings, "tile_url", "")
    host = urlsplit(tile_url)
    allow = [f"{host.scheme}://{host.netloc}"] if host.scheme in ("http", "https") else []
    layers = layers_for(page.tenant.name)
    data = _data(page, hub, counts) | {
        "tiles": {"url": tile_url, "attribution": getattr(settings, "tile_attribution", "")},
        "layers": [{"name": layer.name, "kind": layer.kind} for layer in layers],
        "scheduled": _schedule_of(page, hub)[0].available,
        "unplaced": {"features": unplaced, "total": unplaced_count},
    }
    return page.render(
        "map.html",
        nav="map",
        counts=counts,
        themes=themes,
        newest=newest,
        unplaced_count=unplaced_count,
        attributions=_credits(page, layers, data["tiles"]["attribution"] if allow else ""),
        data=data,
        data_json=_script_json(data),
        status_word=lambda status: page.t(STATUS_WORDS[status]),
        name_of=lambda told: _name(page, told),
        path_of=lambda entity_id: entity_path(page.base, entity_id),
        allow={"img-src": allow, "connect-src": allow} if allow else None,
    )


def _name(page: Page, told: dict[str, Any]) -> str:
    """What a thing is called where no script draws it, as the scripts have it (words.ts)."""
    label = str(told.get("label", ""))
    if label and told["type"] == "Vehicle":
        return page.t("Line %(line)s", line=label)
    own = str(told["id"]).rpartition(":")[2]
    return str(told.get("name") or f"{type_name(page.t, told['type'])} {label or told_id(own)}")


def _credits(page: Page, layers: list[Layer], tiles: str) -> list[str]:
    named = [said(layer.attribution, page.language) for layer in layers]
    return list(dict.fromkeys(named + ([tiles] if tiles else [])))


def _script_json(data: object) -> Markup:
    """JSON that can stand in a script element: no "<" can end it early."""
    text = orjson.dumps(data).decode().replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 - every "<" is escaped


def _data(page: Page, hub: LiveHub, counts: dict[str, Any]) -> dict[str, Any]:
    city = page.tenant.city
    return {
        "base": page.base,
        "tenant": page.tenant.name,
        "name": said(city.name, page.language),
        "centre": city.centre,
        "zoom": city.zoom,
        "bounds": city.bounds or hub.bounds(),
        "zone": page.zone,
        "clock": clock_of(page.tenant),
        "legend": counts,
        "types": {name: type_name(page.t, name) for name in counts["types"]},
        "attributes": {name: attribute(page.t, name) for name in SPOKEN},
        "themes": [
            {
                "key": theme.key,
                "word": page.t(theme.word),
                "colour": theme.colour,
                "dark": theme.dark,
                "shape": theme.shape,
                "glyph": theme.glyph,
                "visible": theme.visible,
            }
            for theme in THEMES
        ],
    }


def _network(page: Page, hubs: Hubs) -> dict[str, Any]:
    made: list[dict[str, Any]] = []
    for name, tenant in page.tenants.items():
        hub = hubs.get(name)
        city, counts = tenant.city, hub.legend()
        centre = city.centre or _middle(hub.bounds())
        if centre is None:
            continue
        told = {
            "id": name,
            "name": said(city.name, page.language),
            "url": f"{page.root}{city_path(name)}/",
            "total": counts["total"],
            "themes": {key: counted["total"] for key, counted in counts["themes"].items()},
            "moving": sum(c["status"].get("moving", 0) for c in counts["themes"].values()),
            "bounds": city.bounds,
        } | clock_of(tenant)
        place = {"type": "Point", "coordinates": [round(c, 5) for c in centre]}
        made.append({"type": "Feature", "id": len(made), "geometry": place, "properties": told})
    return {"type": "FeatureCollection", "features": made}


def _middle(box: Box | None) -> tuple[float, float] | None:
    return ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) if box else None
