"""From an ASGI request to a handler and back: the hot path, so nothing here that need not be."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from rynek.base.errors import (
    LengthRequired,
    MethodNotAllowed,
    NotAcceptable,
    PayloadTooLarge,
    Problem,
    ResourceNotFound,
    Unauthorized,
    UnsupportedMediaType,
)
from rynek.context import context_namespace, parse_link_header
from rynek.web.access import Access
from rynek.web.api.bodies import dumps
from rynek.web.api.call import GEO_JSON, JSON, JSON_LD, Call, Header, Reply
from rynek.web.api.params import parse_query_string
from rynek.web.api.prospective import ProspectiveTenant
from rynek.web.api.routes import Leaf, build, find

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX: Final = "/ngsi-ld/v1/"
_logger = logging.getLogger(__name__)
_BODY_METHODS: Final = frozenset(("POST", "PUT", "PATCH"))
_VARY: Final = (b"vary", b"Accept, Link, NGSILD-Tenant, Prefer")
_CORS_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_CORS_EXPOSED: Final = b"Link, Location, NGSILD-Results-Count, NGSILD-Tenant, Content-Range"


class Api:
    """The NGSI-LD API as an ASGI application over an engine's tenants."""

    def __init__(self, engine: Any, access: Access) -> None:
        self._engine = engine
        self._access = access
        self._tree = build()
        settings = engine.settings
        self._max_body = settings.server.max_body_bytes
        self._base_path = settings.server.base_path
        self._limits = settings.limits
        self._origins = frozenset(settings.access.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request below /ngsi-ld/v1/."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        method = scope["method"]
        try:
            reply = await self._answer(scope, method, headers, receive)
        except Problem as problem:
            reply = problem_reply(problem)
        except Exception:
            _logger.exception("%s %s failed", method, scope["path"])
            reply = problem_reply(Problem("an unexpected error; it stands in the server's log"))
        await self._send(reply, headers, method, send)

    async def _answer(
        self, scope: Scope, method: str, headers: dict[str, str], receive: Receive
    ) -> Reply:
        path = scope["path"]
        found = find(self._tree, _parts(scope))
        if found is None:
            raise ResourceNotFound(f"no such resource: {path[:200]}")
        leaf, args = found
        if method == "OPTIONS":
            return _options(leaf)
        route = leaf.routes.get("GET" if method == "HEAD" else method)
        if route is None:
            return _method_not_allowed(leaf, method)
        _, _, handler, right, geojson, creates, tenant_in_path = route
        accept = accepted(headers.get("accept"), geojson=geojson, strict=right == "read")
        engine = self._engine
        name = headers.get("ngsild-tenant") or engine.default_tenant
        if tenant_in_path and "ngsild-tenant" not in headers:
            name = context_namespace(args[0]) or name
        self._access.check(headers.get("authorization"), right, name)
        prospective = creates and name not in engine.tenants
        tenant = ProspectiveTenant(engine, name) if prospective else engine.tenant(name)
        body = b""
        if method in _BODY_METHODS:
            body = await read_body(receive, headers, self._max_body)
        link = headers.get("link")
        url = parse_link_header(link) if link is not None else None
        resolver = tenant.context.resolver
        ld = resolver.resolve_cached(url)
        if ld is None:
            ld = await resolver.resolve(url)
        return await handler(
            Call(
                method,
                path,
                args,
                parse_query_string(scope["query_string"]),
                headers,
                body,
                tenant,
                ld,
                accept,
                url is not None,
                self._base_path,
                self._limits,
            )
        )

    async def _send(self, reply: Reply, headers: dict[str, str], method: str, send: Send) -> None:
        body = reply.body
        out: list[Header] = [_VARY]
        if reply.status != 204:
            out.append((b"content-length", str(len(body)).encode()))
        if body:
            out.append((b"content-type", reply.media))
        if reply.headers:
            out += reply.headers
        if "ngsild-tenant" in headers:
            out.append((b"ngsild-tenant", headers["ngsild-tenant"].encode("latin-1")))
        if "origin" in headers:
            out += self._cors(headers["origin"])
        await send({"type": "http.response.start", "status": reply.status, "headers": out})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})

    def _cors(self, origin: str) -> list[Header]:
        if "*" in self._origins:
            allowed = b"*"
        elif origin in self._origins:
            allowed = origin.encode("latin-1")
        else:
            return []
        return [
            (b"access-control-allow-origin", allowed),
            (b"access-control-allow-methods", _CORS_METHODS),
            (b"access-control-allow-headers", b"*, Authorization"),
            (b"access-control-expose-headers", _CORS_EXPOSED),
            (b"vary", b"Origin"),
        ]


def _parts(scope: Scope) -> list[str]:
    """The decoded parts of the path below the prefix; an encoded slash divides nothing."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    text = raw.decode("latin-1").partition("?")[0]
    parts = text[text.find(PREFIX) + len(PREFIX) :].split("/")
    if "%" in text:
        parts = [unquote(part) for part in parts]
    if not parts[-1]:
        parts.pop()  # "/entities/" is how the standard writes it (§6.4.2)
    return parts


async def read_body(receive: Receive, headers: dict[str, str], most: int) -> bytes:
    """The whole body; PayloadTooLarge beyond `most` bytes, before it is read where it is told."""
    told = headers.get("content-length")
    if told is not None and told.isdigit() and int(told) > most:
        raise PayloadTooLarge(f"the body is larger than {most} bytes")
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if not body and told is None:
            raise LengthRequired
        if len(body) > most:
            raise PayloadTooLarge(f"the body is larger than {most} bytes")
        return body
    chunks = [body]
    size = len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise PayloadTooLarge(f"the body is larger than {most} bytes")
    if not size and told is None:
        raise LengthRequired
    return b"".join(chunks)


@lru_cache(maxsize=512)
def accepted(header: str | None, *, geojson: bool = False, strict: bool = True) -> bytes:
    """The best of JSON, JSON-LD and (where there is one) GeoJSON for an Accept header (§6.3.4).

    NotAcceptable if none is; operations that write (not `strict`) have no answer but errors, which
    are JSON whatever was asked for, and only refuse GeoJSON.
    """
    if not header:
        return JSON
    offers = (JSON, JSON_LD, GEO_JSON) if geojson else (JSON, JSON_LD)
    best: tuple[float, bool, int, bytes] | None = None
    for piece in header.split(","):
        media, *parameters = [part.strip().lower() for part in piece.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        for rank, offer in enumerate(offers):
            exact = media == offer.decode()
            if quality > 0 and (exact or media in ("*/*", "application/*")):
                candidate = (quality, exact, -rank, offer)
                if best is None or candidate > best:
                    best = candidate
    if best is not None:
        return best[3]
    if strict or GEO_JSON.decode() in header.lower():
        raise NotAcceptable("available are " + ", ".join(offer.decode() for offer in offers))
    return JSON


def problem_reply(problem: Problem) -> Reply:
    """A problem document as plain JSON (§5.5.3); none with 411 and 415 (§6.3.4)."""
    if isinstance(problem, (UnsupportedMediaType, LengthRequired)):
        return Reply(problem.status)
    headers: list[Header] = [*problem.headers]
    if isinstance(problem, Unauthorized):
        headers.append((b"www-authenticate", b'Bearer realm="rynek"'))
    return Reply(problem.status, dumps(problem.body()), JSON, headers)


def _options(leaf: Leaf) -> Reply:
    return Reply(
        204,
        headers=[
            (b"allow", leaf.allow.encode()),
            (b"accept-patch", b"application/json, application/ld+json"),
        ],
    )


def _method_not_allowed(leaf: Leaf, method: str) -> Reply:
    reply = problem_reply(MethodNotAllowed(f"{method} is not one of {leaf.allow}"))
    reply.headers = [(b"allow", leaf.allow.encode())]
    return reply
