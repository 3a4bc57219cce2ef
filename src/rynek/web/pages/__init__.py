"""The pages for people, on the server with Jinja2; readable without scripts."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rynek.web.compare import routes as compare_routes
from rynek.web.contract import Engine
from rynek.web.i18n import LANGUAGES, frontend_messages
from rynek.web.pages import (
    about,
    developers,
    entities,
    entity,
    estimate,
    feeds,
    forest,
    home,
    pilot,
    practices,
    series,
    service,
    stream,
)
from rynek.web.pages import map as city_map
from rynek.web.pages.shell import Page, Site

__all__ = ["pages", "problem_page"]


async def _messages(request: Request) -> Response:
    language = request.path_params["language"]
    if language not in LANGUAGES:
        return Response(status_code=404)
    body, tag = frontend_messages(language)
    fresh = request.query_params.get("v") == tag
    caching = "public, max-age=31536000, immutable" if fresh else "no-cache"
    return Response(
        body, media_type="application/json", headers={"Cache-Control": caching, "ETag": f'"{tag}"'}
    )


def pages(engine: Engine) -> list[Route]:
    """Every page of every city; the more particular paths come first."""
    site = Site(engine)
    return [
        Route("/i18n/{language}.json", _messages, methods=["GET"]),
        *home.routes(site),
        *city_map.routes(site),
        *series.routes(site),
        *entities.routes(site),
        *entity.routes(site),
        *feeds.routes(site),
        *about.routes(site),
        *stream.routes(site),
        *developers.routes(site),
        *estimate.routes(site),
        *pilot.routes(site),
        *forest.routes(site),
        *practices.routes(site),
        *service.routes(site),
        *compare_routes(site),
    ]


def _city_of(page: Page) -> Any:
    """The city in whose pages something went wrong; None outside of them, or where it is closed."""
    parts = page.request.scope["path"].removeprefix(page.root).split("/")
    return page.tenants.get(parts[2]) if parts[1:2] == ["c"] and len(parts) > 2 else None


def problem_page(
    engine: Engine, request: Request, status: int, *, number: str = "", detail: str = ""
) -> Response:
    """The page for people that says what went wrong (404, 500 …), in their language, with the
    `number` under which the log has it, or `detail` as it is."""
    page = Page(Site(engine), request)
    if status < 500:  # a city whose files are damaged may have no picture to draw a frame from
        page.tenant = _city_of(page)
    if number:
        detail = page.t("Quote this number when you report it: %(number)s", number=number)
    elif status == 404 and not detail:
        detail = page.t(
            "There is nothing at this address: it was mistyped, or what it led to is gone."
        )
    elif status == 405:
        detail = page.t("This address may be opened, but it takes nothing that is sent to it.")
    return page.problem(status, detail)
