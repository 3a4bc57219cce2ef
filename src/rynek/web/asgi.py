"""The ASGI application: hot NGSI-LD routes straight to their dispatcher, Starlette for the rest."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from rynek.base.errors import (
    BadRequestData,
    Forbidden,
    MethodNotAllowed,
    NonexistentTenant,
    Problem,
    ResourceNotFound,
    Unauthorized,
    Unavailable,
)
from rynek.base.request import request_id
from rynek.base.storage import storage_problem
from rynek.web import indicators, practices, surveys, watch
from rynek.web.api.bodies import load_json
from rynek.web.api.dispatch import PREFIX, Api, Scope, Send
from rynek.web.api.receiving import Bodies, Receive
from rynek.web.counted import Counted
from rynek.web.pages import pages, problem_page
from rynek.web.problems import document_of, problem_answer
from rynek.web.proxies import Proxies
from rynek.web.statics import Statics
from rynek.web.watch.local import is_local

_logger = logging.getLogger(__name__)
_STATIC: Final = Path(__file__).parent / "static"
# What is posted to /notified/ and /survey/ carries its right in its path; who watches is asked by rynek.web.watch.
_OPEN_PATHS: Final = ("/static/", "/i18n/", "/health", "/metrics", "/notified/", "/survey/")
_SERVICE: Final = "/service"
_NETWORK_PATHS: Final = frozenset(("", "/", "/map/network"))
_API: Final = "/api/"
_CARDS: Final = re.compile(r"(/c/[^/]+)?/practices(/|$)|/api/practices/")
# These compute from a city's history: of the default one where the path names none.
_HISTORY: Final = re.compile(r"/practices/(estimate|plan)/?$")
_FORMS: Final = re.compile(r"/practices/(new|[^/]+/edit)$")
_NETWORK_PREFIXES: Final = (
    "/map/base/",
    "/compare",
    "/surveys",
    "/cities",
    indicators.PREFIX,
    surveys.PREFIX,
)

_OTHER_SITE: Final = (
    "a page of another site may not write here with a browser's sign-in or without a token;"
    " send the token as Authorization: Bearer …"
)

# For all that is no page (pages bring a stricter one of their own): nothing comes from elsewhere,
# unless a tile URL is set. The map's worker lives by the policy of its script.
_POLICY: Final = (
    "default-src 'self'; img-src 'self' data: blob:{tiles}; connect-src 'self'{tiles};"
    " style-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none';"
    " frame-ancestors 'self'; form-action 'self'"
)


class Application:
    """What the server runs: one engine's API and pages."""

    def __init__(self, engine: Any) -> None:
        server = engine.settings.server
        self.bodies = Bodies(server.max_body_bytes, server.body_seconds)
        self._api = Api(engine, engine.access, engine.tally, self.bodies)
        site = _site(engine, self.bodies)
        self._site = Counted(site, engine)
        self._posts = Counted(_Posts(engine, self.bodies, site), engine)
        self._refused = Counted(_refuse, engine)
        self._cities = server.base_path + "/c/"
        self._live = server.base_path + "/health/live"
        self._prefix = server.base_path + PREFIX
        self._proxies = Proxies(server.trusted_proxies) if server.trusted_proxies else None
        self._crowded = False

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        if self._proxies is not None:
            scope = self._proxies.heard(scope)
        is_http, path = scope["type"] == "http", scope["path"]
        if self._crowded and is_http and path != self._live:
            return self._refused(scope, receive, send)
        if is_http and path.startswith(self._prefix):
            return self._api(scope, receive, send)
        if is_http and path + "/" == self._prefix:
            # The root without its slash: the API's own 404, as with one.
            root = {"path": self._prefix, "raw_path": self._prefix.encode()}
            return self._api({**scope, **root}, receive, send)
        if path.endswith("/deliver") and path.startswith(self._cities):
            return self._posts(scope, receive, send)
        return self._site(scope, receive, send)

    def refuse(self, crowded: bool) -> None:
        """Answer every request with 503 and the end of its connection, until told otherwise; but
        for the one that asks whether the process lives: it does."""
        self._crowded = crowded


async def _refuse(scope: Scope, receive: object, send: Send) -> None:
    """503 and the end of the connection."""
    del scope, receive
    problem = Unavailable("too many connections are open; try again in a few seconds")
    body = msgspec.json.encode(document_of(problem))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"5"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _site(engine: Any, bodies: Bodies) -> Starlette:
    routes: list[Any] = [
        *watch.routes(engine),
        Route("/c/{tenant}/feeds/{feed}/deliver", _deliver(engine, bodies), methods=["POST"]),
        Route("/notified/{tenant}/{secret}", _notified(engine, bodies), methods=["POST"]),
        Mount("/static", Statics(directory=_STATIC), name="static"),
        *practices.routes(engine, bodies),
        *surveys.routes(engine, bodies),
        *indicators.routes(engine),
        *pages(engine),
    ]
    base = engine.settings.server.base_path
    if base:
        routes = [Mount(base, routes=routes)]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(_Guarded, engine=engine)],
        exception_handlers={
            **{status: _problem(engine, status) for status in (404, 405, 500)},
            Problem: _problem(engine, 500),
        },
    )
    app.state.engine = engine
    return app


_UNROUTED: Final[dict[int, Problem]] = {
    404: ResourceNotFound(
        "there is no such path; openapi.json of the interface has those that are"
    ),
    405: MethodNotAllowed("the path is not asked in this way; openapi.json beside it has how"),
}
"""What a programming interface answers where no route is, rather than a page."""


def _problem(engine: Any, status: int) -> Callable[[Request, Exception], Response]:
    base = engine.settings.server.base_path
    rooms = (practices, indicators, surveys)
    interfaces = tuple(f"{base}{room.PREFIX}/" for room in rooms)

    def page(request: Request, error: Exception) -> Response:
        known = error if isinstance(error, Problem) else storage_problem(error)
        path = str(request.scope["path"])
        if path.startswith(interfaces):
            known = known or _UNROUTED.get(status)
            if known is not None:
                return problem_answer(known)
        if known is not None:
            return problem_page(engine, request, known.status, detail=known.detail)
        number = request_id() if status >= 500 else ""
        return problem_page(engine, request, status, number=number)

    return page


class _Rights:
    """Rights before, security headers after every answer that is not the API's."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        tile = engine.settings.map.tile_url.split("{")[0].split("/")[:3]
        self._policy = _POLICY.format(tiles=" " + "/".join(tile) if len(tile) == 3 else "")

    def secured(self, response: Response) -> Response:
        """The answer with the headers that every one has."""
        response.headers.setdefault("Content-Security-Policy", self._policy)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response

    def refusal(self, request: Request) -> Response | None:
        """The answer to a client that may not ask this; None when it may."""
        path = str(request.scope["path"]).removeprefix(self._engine.settings.server.base_path)
        authorization = _authorization(request)
        # Pages that tell of several tenants ask for each (Page.tenants).
        request.state.readable = partial(self._engine.access.readable, authorization)
        # A page shows what it may change only to who may (Page.writable).
        request.state.writable = partial(self._engine.access.may, authorization, "write")
        # The service's own figures, and the way to them, are shown to who may see them.
        local = is_local(request.scope)
        request.state.watching = partial(self._engine.access.may_watch, authorization, local=local)
        request.state.surveyor = partial(self._engine.access.runs_surveys, authorization)
        if not path.startswith(_OPEN_PATHS):
            try:
                if _CARDS.match(path):
                    self._check_cards(request, path, authorization)
                    return None
                if surveys.for_surveyors(request, path):
                    self._engine.access.check_surveyor(authorization)
                    if request.method != "GET" and _from_another_site(request):
                        raise Forbidden(_OTHER_SITE)
                    return None
                if path == _SERVICE:
                    self._engine.access.check_watcher(authorization, local=local)
                    return None
                tenant = self._tenant(path, request.state.readable)
                right = "read" if request.method in ("GET", "HEAD") else "write"
                self._engine.access.check(authorization, right, tenant)
                if right == "write" and _from_another_site(request):
                    raise Forbidden(_OTHER_SITE)
            except Unauthorized as problem:
                if path.startswith(_API):
                    return problem_answer(problem)
                return Response(
                    problem.detail,
                    401,
                    {
                        "WWW-Authenticate": 'Basic realm="rynek: a token as password", charset="UTF-8"'
                    },
                )
            except Problem as problem:
                if path.startswith(_API):
                    return problem_answer(problem)
                return JSONResponse(document_of(problem), problem.status)
        return None

    def _check_cards(self, request: Request, path: str, authorization: str | None) -> None:
        """Pass who may look at practice cards, or write some of them where that is asked; each
        card's own door is looked at where it is read."""
        access, tenants = self._engine.access, self._engine.tenants
        if path.startswith("/c/") or _HISTORY.match(path):
            access.check(authorization, "read", self._tenant(path, request.state.readable))
        viewer, who = access.viewer(authorization, tenants)
        reads = request.method in ("GET", "HEAD")
        if not (reads and not _FORMS.search(path)) and not (viewer.admin or viewer.owners):
            if authorization is None:
                raise Unauthorized("to write here, send a token: Authorization: Bearer …")
            raise Forbidden(f"the token {who!r} may not write practice cards")
        if not reads and _from_another_site(request):
            raise Forbidden(_OTHER_SITE)
        request.state.viewer, request.state.who = viewer, who

    def _tenant(self, path: str, readable: Callable[[str], bool]) -> str:
        """The tenant whose rights decide; the network's pages need any that may be read."""
        parts = path.split("/")
        if len(parts) > 2 and parts[1] == "c":
            return parts[2]
        if path.startswith(indicators.CITIES):
            return path.removeprefix(indicators.CITIES).partition("/")[0]
        default = str(self._engine.default_tenant)
        if path in _NETWORK_PATHS or path.startswith(_NETWORK_PREFIXES):
            return next(filter(readable, self._engine.tenants), default)
        return default


class _Guarded(BaseHTTPMiddleware):
    """`_Rights` around the pages."""

    def __init__(self, app: Any, engine: Any) -> None:
        super().__init__(app)
        self._rights = _Rights(engine)

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Pass, or ask for a token; a browser may send it as the password of a sign-in."""
        return self._rights.secured(self._rights.refusal(request) or await call_next(request))


class _Posts:
    """What devices post to webhook feeds, hundreds of times a second in a large city: without the
    site's router and middleware, which cost three times as much as the rest."""

    def __init__(self, engine: Any, bodies: Bodies, site: Starlette) -> None:
        self._rights = _Rights(engine)
        self._deliver = _deliver(engine, bodies)
        self._parts = len(f"{engine.settings.server.base_path}/c/t/feeds/f/deliver".split("/"))
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST to /c/<tenant>/feeds/<feed>/deliver; what else ends like it is the site's."""
        parts = scope["path"].split("/")
        if scope["method"] != "POST" or len(parts) != self._parts or parts[-3] != "feeds":
            await self._site(scope, receive, send)
            return
        scope["path_params"] = {"tenant": parts[-4], "feed": parts[-2]}
        request = Request(scope, receive)
        response = self._rights.refusal(request) or await self._deliver(request)
        await self._rights.secured(response)(scope, receive, send)


def _from_another_site(request: Request) -> bool:
    """Whether a page of another site may have made a browser send this, with the rights it has.

    A browser adds a sign-in, or nothing, by itself; it never adds a Bearer token. The scheme is not
    compared: a proxy in front may speak HTTPS for us.
    """
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return False
    host = request.headers.get("host", "").lower()
    origins = request.headers.getlist("origin")
    return any(origin.lower().partition("://")[2] != host for origin in origins)


def _authorization(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None or not header.lower().startswith("basic "):
        return header
    try:
        secret = base64.b64decode(header[6:], validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return header
    return f"Bearer {secret}"


def _notified(engine: Any, bodies: Bodies) -> Callable[[Request], Awaitable[Response]]:
    """Notifications of sources: what is posted to /notified/<tenant>/<secret> goes on to whoever
    subscribed here (CIM 009 §5.8.6)."""

    async def notified(request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            tenant = engine.tenants.get(request.path_params["tenant"])
            if tenant is None:
                raise ResourceNotFound("no subscription is kept under this address")
            body = await bodies.read(request.receive, headers)
            document = load_json(body)
            if not isinstance(document, dict):
                raise BadRequestData("the body must be a JSON object")
            secret = request.path_params["secret"]
            await engine.tenant(tenant.name).remote_subscriptions.deliver(secret, headers, document)
        except Problem as problem:
            return JSONResponse(document_of(problem), problem.status)
        return Response(status_code=204)

    return notified


def _deliver(engine: Any, bodies: Bodies) -> Callable[[Request], Awaitable[Response]]:
    """Webhook feeds: a body posted to /c/<tenant>/feeds/<feed>/deliver is read as a poll."""

    async def deliver(request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            tenant = engine.tenants.get(request.path_params["tenant"])
            if tenant is None:
                raise NonexistentTenant(f"no tenant {request.path_params['tenant']!r}")
            body = await bodies.read(request.receive, headers)
            report = await tenant.feeds.deliver(request.path_params["feed"], body)
        except Problem as problem:
            return JSONResponse(document_of(problem), problem.status)
        except ValueError as error:
            return JSONResponse({"title": "Not of this feed's kind", "detail": str(error)}, 400)
        return JSONResponse(
            {
                "created": report.created,
                "updated": report.updated,
                "observed": report.observed,
                "unchanged": report.unchanged,
                "rejected": len(report.rejected),
            }
        )

    return deliver
