"""From an ASGI request to a handler and back: the hot path, so nothing here that need not be."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from urllib.parse import unquote
from zlib import crc32

from rynek.base.errors import (
    BadRequestData,
    LengthRequired,
    MethodNotAllowed,
    Problem,
    ResourceNotFound,
    Unauthorized,
    UnsupportedMediaType,
)
from rynek.base.pace import Pace
from rynek.base.request import CURRENT, HEADER, OVER, id_of
from rynek.base.storage import storage_problem
from rynek.context import context_namespace, core_context, parse_link_header
from rynek.web.access import Access
from rynek.web.api import scoping
from rynek.web.api.bodies import CONTEXT_TWICE, dumps
from rynek.web.api.call import JSON, Call, Header, Reply
from rynek.web.api.conformance import conform, preferred_version
from rynek.web.api.negotiation import accepted, takes_gzip
from rynek.web.api.params import ParamsMemory
from rynek.web.api.prospective import ProspectiveTenant
from rynek.web.api.receiving import Bodies, Receive
from rynek.web.api.route import Handler, replied
from rynek.web.api.routes import Leaf, Served, build, find
from rynek.web.problems import document_of
from rynek.web.tally import Tally

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX: Final = "/ngsi-ld/v1/"
_logger = logging.getLogger(__name__)
_BODY_METHODS: Final = frozenset(("POST", "PUT", "PATCH"))
_VARY: Final = (b"vary", b"Accept, Accept-Encoding, Link, NGSILD-Tenant, Prefer")
# Smaller answers cost more to compress than to send; large ones would hold up the others.
_COMPRESS_FROM: Final = 1024
_COMPRESS_IN_THREAD: Final = 256 * 1024
_POST_MEDIA: Final = b"application/json, application/ld+json"
_PATCH_MEDIA: Final = _POST_MEDIA + b", application/merge-patch+json"
_SHORT: Final = frozenset(("simplified", "keyValues", "temporalValues", "aggregatedValues"))
_CORS_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_CORS_EXPOSED: Final = (
    b"Link, Location, ETag, Content-Range, Preference-Applied, NGSILD-Results-Count, NGSILD-Tenant,"
    b" NGSILD-EntityMap, NGSILD-Snapshot, NGSILD-Warning, X-Request-ID"
)
# Bodies of more bytes are taken in one a round of the event loop.
_LONG: Final = 262_144
_NOWHERE: Final = Leaf("other")
# By which our own server takes an answer in one call, and gives a body (rynek.server.turn).
_WHOLE: Final = "rynek.whole"
_BODY: Final = "rynek.body"
_NONE: Final[dict[str, Any]] = {}
# Headers of a request that an answer says something about, and those of most answers without a body.
_ECHOED: Final = frozenset(("ngsild-tenant", scoping.HEADER, "origin"))
_BARE: Final = [_VARY]


class Api:
    """The NGSI-LD API as an ASGI application over an engine's tenants."""

    def __init__(self, engine: Any, access: Access, tally: Tally, bodies: Bodies) -> None:
        self._engine = engine
        self._access = access
        self._note = tally.note
        self._tree = build()
        self._params = ParamsMemory()
        settings = engine.settings
        self._bodies = bodies
        self._base_path = settings.server.base_path
        self._limits = settings.limits
        self._origins = frozenset(settings.access.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request below /ngsi-ld/v1/."""
        started = perf_counter()
        CURRENT.set(scope)
        raw = scope["headers"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
        if len(headers) != len(raw):
            headers = _combined(raw)
        method = scope["method"]
        leaf = _NOWHERE
        try:
            leaf, args = find(self._tree, _parts(scope)) or self._by_url(scope)
            served = leaf.routes.get("GET" if method == "HEAD" else method)
            if served is None:
                reply = _unserved(leaf, method)
            else:
                # Only what has to be waited for is a coroutine: each costs, and is cold again when
                # a commit wakes it.
                made = self._answer(scope, method, headers, receive, served, args)
                reply = made if isinstance(made, Reply) else await made
                if served.tagged or "prefer" in headers:
                    reply = self._shaped(reply, headers, scope, served)
        except Problem as problem:
            reply = problem_reply(problem)
        except Exception as error:
            name = headers.get("ngsild-tenant") or self._engine.default_tenant
            database = self._engine.folder.tenants / name / "state.db"
            reply = problem_reply(_unexpected(error, method, scope["path"], database))
        if reply.status >= 400:
            reply.headers = [*reply.headers, (HEADER, id_of(scope).encode())]
        size = self._sent(reply, headers, method, scope)
        if size < 0:
            size = await self._send(reply, headers, method, scope, send)
        self._note(leaf.route, method, reply.status, started, size, scope)
        scope[OVER] = True

    def _answer(
        self,
        scope: Scope,
        method: str,
        headers: dict[str, str],
        receive: Receive,
        served: Served,
        args: tuple[str, ...],
    ) -> Reply | Awaitable[Reply]:
        """The answer of the handler to a client that may ask this."""
        handler, right, geojson, creates, tenant_in_path, answers, _, _, takes = served
        accept = JSON
        if "accept" in headers:
            accept = accepted(headers["accept"], geojson=geojson, strict=answers)
        name = headers.get("ngsild-tenant") or self._engine.default_tenant
        if tenant_in_path and "ngsild-tenant" not in headers:
            name = context_namespace(args[0]) or name
        self._access.check(headers.get("authorization"), right, name)
        raw = scope["query_string"]
        params = self._params.read(raw, takes) if raw else {}
        if scoping.HEADER in headers:
            handler, creates = scoping.inside(handler, _parts(scope)[0]), False
        tenant = self._tenant(name, creates=creates)
        url = parse_link_header(headers["link"]) if "link" in headers else None
        linked = url is not None
        has_body = method in _BODY_METHODS
        body = self._body(scope, headers, linked=linked) if has_body else b""
        context = tenant.context
        waits = body is None or context.expires or len(body) > _LONG
        ld = None if waits else context.resolver.resolve_cached(url)
        call = Call(
            method, scope["path"], args, params, headers, body or b"", tenant,
            ld or core_context(), accept, linked, self._base_path, self._limits, scope["scheme"],
        )  # fmt: skip
        if ld is None:
            return self._later(handler, call, url, receive if body is None else None)
        return handler(call)

    async def _later(
        self, handler: Handler, call: Call, url: str | None, receive: Receive | None
    ) -> Reply:
        """The answer to a call whose body comes by `receive`, or whose tenant or @context have to be
        waited for."""
        if receive is not None:
            call.body = await self._bodies.read(receive, call.headers)
        if len(call.body) > _LONG:
            await Pace().turn()  # reading it takes a slice
        context = call.tenant.context
        if context.expires:
            await context.settle()
        resolver = context.resolver
        call.ld = resolver.resolve_cached(url) or await resolver.resolve(url)
        return await replied(handler(call))

    def _by_url(self, scope: Scope) -> tuple[Leaf, tuple[str, ...]]:
        """The resource of a path that ends in the URL of a @context, slashes and all (§5.13.4.3);
        ResourceNotFound for every other path that leads nowhere."""
        first, *rest = _parts(scope)[:20] or [""]
        found = None
        if first == "jsonldContexts" and len(rest) > 2:
            found = find(self._tree, [first, "/".join(rest)])
        if found is None:
            raise ResourceNotFound(f"no such resource: {scope['path'][:200]}")
        return found

    def _body(self, scope: Scope, headers: dict[str, str], *, linked: bool) -> bytes | None:
        """The body, where it has come; LengthRequired for one of unknown length that is not chunked
        (§6.3.4)."""
        if "content-length" not in headers and "transfer-encoding" not in headers:
            raise LengthRequired
        if "content-encoding" in headers:
            _refuse_coded(headers["content-encoding"])
        if linked and "ld+json" in headers.get("content-type", "").lower():
            raise BadRequestData(CONTEXT_TWICE)  # before anything is fetched for it (§6.3.5)
        here = scope.get("extensions", _NONE).get(_BODY)
        body = None if here is None else here()
        return None if body is None else self._bodies.bounded(body)

    def _tenant(self, name: str, *, creates: bool) -> Any:
        engine = self._engine
        prospective = creates and name not in engine.tenants
        return ProspectiveTenant(engine, name) if prospective else engine.tenant(name)

    def _sent(self, reply: Reply, headers: dict[str, str], method: str, scope: Scope) -> int:
        """Send an answer in one call where the server takes it so and it stays uncompressed; how
        many bytes its body has, -1 where it is not sent."""
        whole = scope.get("extensions", _NONE).get(_WHOLE)
        if whole is None:
            return -1
        body = reply.body
        if reply.status == 204 and not reply.headers and _ECHOED.isdisjoint(headers):
            whole(204, _BARE, b"")
            return 0
        if len(body) > _COMPRESS_FROM and takes_gzip(headers.get("accept-encoding", "")):
            return -1
        out = self._lines(reply, headers, body)
        body = b"" if method == "HEAD" else body
        whole(reply.status, out, body)
        return len(body)

    async def _send(
        self, reply: Reply, headers: dict[str, str], method: str, scope: Scope, send: Send
    ) -> int:
        """Send the answer, compressed where the client takes that; how many bytes its body has."""
        body, coded = reply.body, False
        if len(body) > _COMPRESS_FROM and takes_gzip(headers.get("accept-encoding", "")):
            body, coded = await _compressed(body), True
        out = self._lines(reply, headers, body)
        if coded:
            out.insert(1, (b"content-encoding", b"gzip"))
        body = b"" if method == "HEAD" else body
        whole = scope.get("extensions", _NONE).get(_WHOLE)
        if whole is not None:
            whole(reply.status, out, body)
            return len(body)
        await send({"type": "http.response.start", "status": reply.status, "headers": out})
        await send({"type": "http.response.body", "body": body})
        return len(body)

    def _lines(self, reply: Reply, headers: dict[str, str], body: bytes) -> list[Header]:
        """The headers of an answer."""
        out: list[Header] = [_VARY]
        if reply.status not in {204, 304}:
            out.append((b"content-length", str(len(body)).encode()))
        if body:
            out.append((b"content-type", reply.media))
        if reply.headers:
            out += reply.headers
        if "ngsild-tenant" in headers:
            out.append((b"ngsild-tenant", headers["ngsild-tenant"].encode("latin-1")))
        if scoping.HEADER in headers:
            out.append((b"ngsild-snapshot", headers[scoping.HEADER].encode("latin-1")))
        if "origin" in headers:
            out += self._cors(headers["origin"])
        return out

    def _shaped(self, reply: Reply, headers: dict[str, str], scope: Scope, served: Served) -> Reply:
        """The answer with its ETag, and as an older version of the standard has it where asked
        for."""
        if served.tagged:
            reply = _tagged(reply, headers)
        if "prefer" in headers:
            version = preferred_version(headers["prefer"])
            if version is not None:
                raw = scope["query_string"]
                params = self._params.read(raw, served.takes) if raw else {}
                short = not _SHORT.isdisjoint(_words(params))
                reply = conform(reply, version, entities=served.entities, simplified=short)
        return reply

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
            (b"access-control-max-age", b"86400"),
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


def _unexpected(error: Exception, method: str, path: str, database: Path) -> Problem:
    """What to say of an error that nobody meant: that of a disk has its own name."""
    problem = storage_problem(error, database)
    if problem is None:
        _logger.error("%s %s failed", method, path, exc_info=error)
        return Problem("an unexpected error; it stands in the server's log")
    _logger.error("%s %s failed: %s", method, path, error)
    return problem


def _refuse_coded(coding: str) -> None:
    """UnsupportedMediaType for a compressed body (RFC 9110 §15.5.16): no bomb is ever unpacked."""
    if coding.strip().lower() not in ("", "identity"):
        problem = UnsupportedMediaType("bodies are taken uncompressed")
        problem.headers = [(b"accept-encoding", b"identity")]
        raise problem


def problem_reply(problem: Problem) -> Reply:
    """A problem document as plain JSON (§5.5.3); none with 411 and 415 (§6.3.4)."""
    if isinstance(problem, (UnsupportedMediaType, LengthRequired)):
        return Reply(problem.status, headers=[*problem.headers])
    headers: list[Header] = [*problem.headers]
    if isinstance(problem, Unauthorized):
        headers.append((b"www-authenticate", b'Bearer realm="rynek"'))
    return Reply(problem.status, dumps(document_of(problem)), JSON, headers)


def _combined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name; those that came several times as one list (RFC 9110 §5.3)."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _tagged(reply: Reply, headers: dict[str, str]) -> Reply:
    """The reply with an ETag; 304 without a body where the client has just that (RFC 9110 §13)."""
    if reply.status != 200:
        return reply
    tag = b'W/"%x"' % crc32(reply.body)
    if "if-none-match" in headers:
        held = headers["if-none-match"]
        if held.strip() == "*" or tag.decode()[2:] in held:
            return Reply(304, headers=[*reply.headers, (b"etag", tag)])
    reply.headers = [*reply.headers, (b"etag", tag)]
    return reply


async def _compressed(body: bytes) -> bytes:
    if len(body) < _COMPRESS_IN_THREAD:
        return _gzip(body)
    return await asyncio.to_thread(_gzip, body)


def _gzip(body: bytes) -> bytes:
    engine = zlib.compressobj(1, zlib.DEFLATED, 31)
    return engine.compress(body) + engine.flush()


def _words(params: dict[str, str]) -> list[str]:
    return [*params.get("options", "").split(","), params.get("format", "")]


def _unserved(leaf: Leaf, method: str) -> Reply:
    return _options(leaf) if method == "OPTIONS" else _method_not_allowed(leaf, method)


def _options(leaf: Leaf) -> Reply:
    """What a path takes; a browser's question before a request to another origin gets the headers
    of any answer beside it."""
    headers: list[Header] = [(b"allow", leaf.allow.encode())]
    for method, name, media in (
        ("PATCH", b"accept-patch", _PATCH_MEDIA),
        ("POST", b"accept-post", _POST_MEDIA),
    ):
        if method in leaf.routes:
            headers.append((name, media))
    return Reply(204, headers=headers)


def _method_not_allowed(leaf: Leaf, method: str) -> Reply:
    reply = problem_reply(MethodNotAllowed(f"{method} is not one of {leaf.allow}"))
    reply.headers = [(b"allow", leaf.allow.encode())]
    return reply
