"""What every page shares: who asks in which language, which city, how a template is answered.

A page module declares `routes(site) -> list[Route]`, mostly through `site.city(path, handler)`,
whose handlers take a Page and answer with `page.render("name.html", nav="…", …)`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from rynek.base.clock import MICRO, parse_iso
from rynek.base.errors import Problem
from rynek.practices.cards import EVERYBODY, Viewer
from rynek.web.contract import Engine, Licence, Tenant, said
from rynek.web.i18n import LANGUAGES, Translator, frontend_messages, negotiate, translator

__all__ = ["NotFound", "Page", "Site", "city_path", "entity_path", "licence_text"]

STATIC: Final = Path(__file__).parent.parent / "static"
THEMES: Final = ("auto", "light", "dark")
_YEAR: Final = 365 * 86_400
_LONGEST: Final = 500
_LONGEST_QUERY: Final = 2_000
_POLICY: Final[dict[str, list[str]]] = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:", "blob:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "worker-src": ["'self'", "blob:"],
    "manifest-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'self'"],
}

Handler = Callable[["Page"], Awaitable[Response]]


class NotFound(Exception):
    """There is no such page, city or entity; answered with the 404 page."""


def entity_path(base: str, entity_id: str) -> str:
    """The path of an entity's page under a city's `base`."""
    return f"{base}/entities/{quote(entity_id, safe=':')}"


def city_path(tenant: str) -> str:
    """The path of a city's pages, without the proxy's prefix and without a slash at the end."""
    return f"/c/{quote(tenant, safe='')}"


class Site:
    """The engine and what the pages were built from (templates, stylesheets, scripts)."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def root(self) -> str:
        """The prefix under which a reverse proxy shows the service; mostly empty."""
        server = getattr(self.engine.settings, "server", None)
        return str(getattr(server, "base_path", ""))

    def city(self, path: str, handler: Handler) -> list[Route]:
        """Routes of one page for every city (`/c/<tenant><path>`) and the default one (`path`)."""
        paths = [f"/c/{{tenant}}{path}"] + ([path] if path != "/" else [])
        return [Route(at, self._endpoint(handler), methods=["GET"]) for at in paths]

    def shared(self, path: str, handler: Handler) -> list[Route]:
        """Like `city`, but `path` belongs to the network, to no city, where there are several."""

        async def unframed(page: Page) -> Response:
            if "tenant" not in page.request.path_params and len(page.tenants) > 1:
                page.tenant = None
            return await handler(page)

        return self.city(path, unframed)

    def plain(self, path: str, handler: Handler) -> Route:
        """The route of a page that belongs to no city."""
        return Route(path, self._endpoint(handler), methods=["GET"])

    def _endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            theme = request.query_params.get("theme")
            if theme in THEMES:
                return _remember_theme(self, request, theme)
            page = Page(self, request)
            name = request.path_params.get("tenant", self.engine.default_tenant)
            with suppress(Problem):  # the network's pages need none; the others say so below
                page.tenant = self.engine.tenant(name)
            try:
                if page.tenant is None and "tenant" in request.path_params:
                    raise NotFound(page.t("There is no city “%(name)s” here.", name=name))
                return await handler(page)
            except NotFound as missing:
                return page.problem(404, str(missing))

        return endpoint


def _path(site: Site, request: Request) -> str:
    """The request's path with the proxy's prefix; one leading slash, so never another host."""
    path = str(request.scope["path"])
    if site.root and path.startswith(site.root + "/"):
        path = path[len(site.root) :]
    return quote(site.root + "/" + path.lstrip("/"), safe="/:")


def _remember_theme(site: Site, request: Request, theme: str) -> Response:
    rest = [(key, value) for key, value in request.query_params.multi_items() if key != "theme"]
    target = _path(site, request)
    answer = RedirectResponse(target + ("?" + urlencode(rest) if rest else ""), 303)
    answer.set_cookie("theme", theme, max_age=_YEAR, samesite="lax")
    return answer


class Page:
    """One request for a page: its city (None on the network's pages), language and theme."""

    def __init__(self, site: Site, request: Request) -> None:
        self.site = site
        self.request = request
        self.tenant: Any = None
        query = request.query_params.get("lang")
        self.language = negotiate(
            query, request.cookies.get("lang"), request.headers.get("accept-language")
        )
        self._remember = query in LANGUAGES
        self.longest_query = _LONGEST_QUERY
        theme = request.cookies.get("theme", "auto")
        self.theme = theme if theme in THEMES else "auto"
        self.t: Translator = translator(self.language)

    @property
    def base(self) -> str:
        """The path under which the city's pages stand, without a slash at the end."""
        return self.root + city_path(self.tenant.name) if self.tenant else ""

    @property
    def root(self) -> str:
        """The prefix of every address (see Site.root)."""
        return self.site.root

    @property
    def tenants(self) -> dict[str, Any]:
        """The tenants that the client may read, by name; none where nobody looked at its rights."""
        readable = getattr(self.request.state, "readable", None)
        every = self.site.engine.tenants.items()
        return {name: tenant for name, tenant in every if readable and readable(name)}

    @property
    def writable(self) -> bool:
        """Whether the client may write in the page's city."""
        asks = getattr(self.request.state, "writable", None)
        return bool(self.tenant and asks and asks(self.tenant.name))

    @property
    def watching(self) -> bool:
        """Whether the client may see the service's own figures."""
        asks = getattr(self.request.state, "watching", None)
        return bool(asks and asks())

    @property
    def viewer(self) -> Viewer:
        """What the client may see of practice cards; nobody looked: what everybody may."""
        found: Viewer = getattr(self.request.state, "viewer", EVERYBODY)
        return found

    @property
    def zone(self) -> str:
        """The city's IANA zone."""
        return str(self.tenant.city.zone) if self.tenant else "UTC"

    def param(self, name: str, default: str = "") -> str:
        """One query parameter, bounded to 500 characters."""
        return self.request.query_params.get(name, default)[:_LONGEST]

    def render(
        self,
        template: str,
        *,
        status: int = 200,
        allow: dict[str, Sequence[str]] | None = None,
        **values: Any,
    ) -> Response:
        """A template in the page's language. `allow` widens the content policy (tile hosts)."""
        body = _environment(self.language).get_template(template).render(self._shared() | values)
        answer = HTMLResponse(body, status)
        policy = {key: [*words, *(allow or {}).get(key, ())] for key, words in _POLICY.items()}
        answer.headers["Content-Security-Policy"] = "; ".join(
            f"{key} {' '.join(words)}" for key, words in policy.items()
        )
        answer.headers["Content-Language"] = self.language
        answer.headers["Vary"] = "Accept-Language, Cookie"
        answer.headers["Cache-Control"] = "private, no-cache"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        if self._remember:
            answer.set_cookie("lang", self.language, max_age=_YEAR, samesite="lax")
        return answer

    def problem(self, status: int, detail: str = "") -> Response:
        """The page that says what went wrong."""
        title = self.t("Page not found") if status == 404 else self.t("Something went wrong")
        return self.render(
            "problem.html", status=status, nav="", title=title, code=status, detail=detail
        )

    def _shared(self) -> dict[str, Any]:
        tenants: Sequence[Tenant] = list(self.tenants.values())
        return {
            "page": self,
            "t": self.t,
            "lang": self.language,
            "languages": LANGUAGES,
            "theme": self.theme,
            "base": self.base,
            "nav": "",
            "city": self.tenant.city if self.tenant else None,
            "city_name": said(self.tenant.city.name, self.language) if self.tenant else "",
            "cities": [
                (said(each.city.name, self.language), self.root + city_path(each.name) + "/")
                for each in tenants
            ],
            "banner": recording_banner(self) if self.tenant else None,
            "loading": loading_lines(self),
            "root": self.root,
            "messages_url": f"{self.root}/i18n/{self.language}.json?v={frontend_messages(self.language)[1]}",
            "style": lambda name: self.root + style_url(name),
            "asset": lambda entry, kind="file": [self.root + url for url in asset_url(entry, kind)],
            "here": self.here,
            "licence_text": lambda licence: licence_text(self, licence),
            "said": lambda text: said(text, self.language),
        }

    def here(self, **changes: str) -> str:
        """This page's address with some query parameters changed ("" takes one away).

        It stands in a page a dozen times: what no page reads (see `param`) is left out of it.
        """
        given = _bounded(self.request.query_params.multi_items(), self.longest_query)
        query = [each for each in given if each[1] and each[0] not in changes]
        query += [each for each in changes.items() if each[1]]
        return _path(self.site, self.request) + ("?" + urlencode(query) if query else "")


def _bounded(given: Iterable[tuple[str, str]], left: int) -> Iterator[tuple[str, str]]:
    for name, value in given:
        left -= len(name) + len(value[:_LONGEST])
        if left < 0:
            return
        if name != "theme":
            yield name, value[:_LONGEST]


def licence_text(page: Page, licence: Licence) -> str:
    """The terms in words; where the source states none, whose public data they are."""
    stated = said(licence.licence, page.language)
    if stated and not stated.startswith("unknown"):
        return stated
    publisher = said(licence.publisher, page.language)
    return page.t("public data of %(body)s", body=publisher) if publisher else page.t("not stated")


def loading_lines(page: Page) -> list[dict[str, Any]]:
    """The past that is being loaded behind the running service (Tenant.loading), in words."""
    return [
        {
            "title": said(each.title, page.language),
            "done": each.done,
            "total": max(1, each.total),
            "text": page.t(
                "%(done)s of %(total)s readings",
                done=page.t.number(each.done, 0),
                total=page.t.number(each.total, 0),
            ),
            "error": each.error,
        }
        for each in getattr(page.tenant, "loading", ())
    ]


def recording_banner(page: Page) -> dict[str, str] | None:
    """Which recording is replayed and its true date and time; None where the data are live."""
    recording = page.tenant.city.recording
    if recording is None:
        return None
    clock = page.tenant.clock
    # A recording that is not replayed (an inventory) has no time of its own: the clock is ours.
    now = page.t.minute(clock.now(), page.zone) if hasattr(clock, "end") else ""
    return {
        "title": said(recording.title, page.language),
        "note": said(recording.note, page.language),
        "from": _written(page, recording.start),
        "to": _written(page, recording.end),
        "now": now,
    }


def _written(page: Page, text: str) -> str:
    if not text:
        return ""
    try:
        if len(text) <= 10:
            return page.t.date(parse_iso(text + "T12:00:00Z"), "UTC", "medium")
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(page.zone))
        return page.t.moment(int(at.timestamp()) * MICRO, page.zone, "medium")
    except ValueError:
        return text


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("rynek.web", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]
        translator(language).messages, newstyle=True
    )
    return environment


@cache
def style_url(name: str) -> str:
    """The address of a stylesheet, with a hash so that it may be cached for long."""
    path = STATIC / "css" / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.exists() else "0"
    return f"/static/css/{name}?v={digest}"


@cache
def _manifest() -> dict[str, Any]:
    for name in (".vite/manifest.json", "manifest.json"):
        path = STATIC / "app" / name
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_bytes())
            return found
    return {}


def asset_url(entry: str, kind: str = "file") -> list[str]:
    """Addresses of a built frontend entry (`src/chart.ts`): its script, or with `css` its styles.

    Empty where the frontend is not built; pages work without it.
    """
    found = _manifest().get(entry, {})
    names = found.get(kind, [])
    own = [f"/static/app/{name}" for name in ([names] if isinstance(names, str) else names)]
    if kind != "css":
        return own
    # What entries share is built into chunks of its own, and so are the styles of it.
    shared = [url for chunk in found.get("imports", []) for url in asset_url(chunk, kind)]
    return list(dict.fromkeys(shared + own))
