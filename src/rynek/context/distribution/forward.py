"""One request to one context source: its URL, its headers, its limits (CIM 009 §4.3.6, §6.3.17)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

import msgspec

from rynek.base.errors import OutgoingRefused, Problem
from rynek.base.http import Fetched
from rynek.context.distribution.answer import Answer
from rynek.context.distribution.cache import Cache
from rynek.context.distribution.names import (
    translate_attribute,
    translate_document,
    translate_params,
)
from rynek.context.distribution.queries import query_document
from rynek.context.distribution.rest import Rest
from rynek.context.distribution.via import with_via
from rynek.context.formats import as_of, attribute_as_of, parse_version
from rynek.context.jsonld import CompiledContext, core_context, link_header
from rynek.context.registrations import Registration

__all__ = ["Answer", "Forwarder", "Limits", "Origin", "Outbound", "Send"]

_JSON: Final = "application/json"
_JSON_LD: Final = "application/ld+json"
_API: Final = "/ngsi-ld/v1"
_REQUEST: Final = "urn:ngsi-ld:request"
# What contextSourceInfo cannot set: the connection's, the interaction's, and the keys of §4.3.6.6.
_NOT_OVERRIDDEN: Final = frozenset(
    ("accept", "accept-encoding", "connection", "content-encoding", "content-length",
     "content-type", "contenttype", "expect", "host", "jsonldcontext", "keep-alive", "link",
     "ngsild-tenant", "ngsildconformance", "proxy-authorization", "te", "trailer",
     "transfer-encoding", "upgrade", "user-agent", "via")
)  # fmt: skip
_NO_ENTITIES: Final = frozenset(("plain", "query", "subscription"))
_SAFE: Final = ":,/@!*()$-._~"
_dumps: Final = msgspec.json.Encoder().encode


class Send(Protocol):
    """How a request leaves: the guard's `request`."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Fetched]:
        """The answer; OutgoingRefused when there is none."""
        ...


class Limits(msgspec.Struct, frozen=True):
    """Bounds of requests to sources: seconds and bytes of one, how many to one source at a time,
    and for how long one that did not answer in time thrice in a row is left alone; whether entities may be split between
    sources, and how many of one source may then be looked at."""

    timeout_seconds: float = 5.0
    max_bytes: int = 16 * 1024 * 1024
    cooldown_seconds: float = 5.0
    split_entities: bool = False
    max_candidates: int = 10_000
    max_each: int = 32


class Origin(msgspec.Struct, frozen=True):
    """The request that is carried on: its headers (lower case) and the @context of its names."""

    headers: Mapping[str, str]
    ld: CompiledContext


class Outbound(msgspec.Struct, frozen=True):
    """What to ask of a source. `path` are decoded parts below /ngsi-ld/v1, where `attribute` says
    which of them is an attribute's name; `document` is the body as JSON, of one of the `kind`s
    entity (or fragment), attribute, entities, subscription (which is in the right words
    already), plain. With kind query `params` become a Query."""

    method: str
    path: tuple[str, ...]
    params: dict[str, str] = {}
    document: Any = None
    kind: str = "entity"
    attribute: int | None = None
    simplified: bool = False
    entity_map: str | None = None


class Forwarder:
    """Sends requests of one tenant to its sources, each within its limits.

    `resolve` compiles the @context behind a URL; `note` is told how each request went: the id of
    the registration and what was wrong, empty for nothing. `places` bounds requests under way.
    Values that have `own_tokens` in them are never passed on from a client's request.
    """

    def __init__(
        self,
        send: Send,
        alias: str,
        limits: Limits,
        *,
        resolve: Callable[[str], Awaitable[CompiledContext]],
        note: Callable[[str, str], None],
        places: asyncio.Semaphore,
        own_tokens: str | None = None,
    ) -> None:
        self.alias = alias
        self.limits = limits
        self._send = send
        self._resolve = resolve
        self._note = note
        self._places = places
        self._own_tokens = own_tokens
        self._rest = Rest(limits.cooldown_seconds)
        self._cache = Cache()
        self._lanes: dict[str, asyncio.Semaphore] = {}

    def resting(self) -> int:
        """How many sources are left alone now because they failed."""
        return self._rest.resting()

    async def ask(self, source: Registration, request: Outbound, origin: Origin) -> Answer:
        """The source's answer; never raises for what the source does."""
        ld = origin.ld
        if self._rest.is_resting(source):
            detail = "it failed before and is left alone for a while"
            return Answer(source, ld, failure="cooldown", detail=detail)
        try:
            ld = await self._wire_context(source, request, ld)
            url, headers, body = _written(source, request, origin, ld, self._own_tokens)
        except Problem as problem:
            return Answer(source, ld, failure="context", detail=problem.detail)
        key = _cache_key(source, request, url, headers)
        kept = self._cache.find(key) if key is not None else None
        if kept is not None:
            return kept
        headers["Via"] = with_via(origin.headers, self.alias)
        answer = await self._sent(source, request.method, url, headers, body, ld)
        self._rest.note(source, answer)
        self._note(source.id, answer.reason)
        if key is not None and source.management.cache_seconds is not None:
            self._cache.keep(key, answer, source.management.cache_seconds)
        elif request.method != "GET":
            self._cache.forget(source.id)
        return answer

    async def _sent(
        self,
        source: Registration,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        ld: CompiledContext,
    ) -> Answer:
        told = source.management.timeout_ms
        seconds = self.limits.timeout_seconds if told is None else told / 1000
        try:
            async with asyncio.timeout(seconds), self._lane(source.id), self._places:
                got = await self._send(
                    method,
                    url,
                    body=body,
                    headers=headers,
                    max_bytes=self.limits.max_bytes,
                    timeout=seconds,
                )
        except TimeoutError:
            return Answer(source, ld, failure="timeout", detail=f"no answer within {seconds:g} s")
        except OutgoingRefused as refused:
            reason = refused.extra.get("reason")
            failure = (
                "timeout" if reason == "timeout" else "invalid" if reason in _BROKEN else "network"
            )
            return Answer(source, ld, failure=failure, detail=refused.detail)
        return Answer(source, ld, got.status, got.body, got.headers)

    def _lane(self, source_id: str) -> asyncio.Semaphore:
        """One source's share of the places, so that a few that hang leave room for the others."""
        lane = self._lanes.get(source_id)
        if lane is None:
            if len(self._lanes) >= _MOST_LANES:
                self._lanes.pop(next(iter(self._lanes)))
            lane = self._lanes[source_id] = asyncio.Semaphore(self.limits.max_each)
        return lane

    async def _wire_context(
        self, source: Registration, request: Outbound, ld: CompiledContext
    ) -> CompiledContext:
        """The @context of the names on the wire: the source's own (§4.3.6.6), or the client's
        where a Link header (or the body) can carry it, else none but the core."""
        own = source.info_value("jsonldContext")
        if own is not None:
            return await self._resolve(own)
        if ld.link is not None or request.document is not None:
            return ld
        return core_context()


_MOST_LANES: Final = 10_000
_BROKEN: Final = frozenset(("size", "encoding", "redirects"))


def _cache_key(
    source: Registration, request: Outbound, url: str, headers: Mapping[str, str]
) -> tuple[str, ...] | None:
    """What tells answers apart that may be used again: of retrieving and querying entities, where
    the registration says for how long (§5.2.34)."""
    if source.management.cache_seconds is None or request.method != "GET":
        return None
    if request.path[0] != "entities" or request.entity_map is not None:
        return None
    told = sorted(f"{name}: {value}" for name, value in headers.items())
    return (source.id, url, *told)


def _written(
    source: Registration,
    request: Outbound,
    origin: Origin,
    ld: CompiledContext,
    own_tokens: str | None,
) -> tuple[str, dict[str, str], bytes | None]:
    """URL, headers and body of the request in the words of `ld`."""
    path, params, document = request.path, request.params, request.document
    if ld is not origin.ld:
        params = translate_params(params, origin.ld, ld)
        document = _translated(request, origin.ld, ld)
        if request.attribute is not None:
            name = ld.compact_iri(origin.ld.expand_term(path[request.attribute]))
            path = (*path[: request.attribute], name, *path[request.attribute + 1 :])
    if request.kind == "query":
        params, document = query_document(params)
    if source.management.local_only:
        params = params | {"local": "true"}
    headers = _conveyed(source, origin, own_tokens)
    headers["Accept"] = source.info_value("accept") or _JSON
    if request.entity_map is not None:
        headers["NGSILD-EntityMap"] = request.entity_map
    if source.tenant is not None:
        headers["NGSILD-Tenant"] = source.tenant
    body = None
    if document is not None:
        version = parse_version(source.info_value("ngsildConformance") or "")
        if version is not None and request.kind not in _NO_ENTITIES:
            if request.kind == "attribute":
                document = attribute_as_of(document, version)
            else:
                document = as_of(document, version, simplified=request.simplified)
        body = _body(source, request, document, ld, headers)
    elif ld.link is not None:
        headers["Link"] = link_header(ld.link)
    return _url(source.endpoint, path, params), headers, body


def _translated(request: Outbound, old: CompiledContext, new: CompiledContext) -> Any:
    document = request.document
    if document is None or request.kind in _NO_ENTITIES:
        return document
    if request.kind == "attribute":
        return translate_attribute(document, old, new)
    if request.kind == "entities":
        return [translate_document(one, old, new) for one in document]
    return translate_document(document, old, new, simplified=request.simplified)


def _body(
    source: Registration,
    request: Outbound,
    document: Any,
    ld: CompiledContext,
    headers: dict[str, str],
) -> bytes:
    """The body, and its Content-Type and Link among `headers`: JSON with a Link where the
    @context is a URL and the source does not ask for JSON-LD, else the @context inside."""
    if request.kind == "plain":
        headers["Content-Type"] = _JSON
        return _dumps(document)
    own = source.info_value("jsonldContext") is not None
    wanted = _JSON if own else source.info_value("contentType")
    inside = wanted == _JSON_LD or (ld.link is None and not own)
    parts = document if request.kind == "entities" else [document]
    bare = [
        {k: v for k, v in one.items() if k != "@context"} if isinstance(one, dict) else one
        for one in parts
    ]
    if inside:
        bare = [one | {"@context": ld.member} if isinstance(one, dict) else one for one in bare]
        headers["Content-Type"] = _JSON_LD
    else:
        headers["Content-Type"] = _JSON
        if ld.link is not None:
            headers["Link"] = link_header(ld.link)
    return _dumps(bare if request.kind == "entities" else bare[0])


def _conveyed(source: Registration, origin: Origin, own_tokens: str | None) -> dict[str, str]:
    """The headers that contextSourceInfo asks for (§4.3.6.5); no source gets a token of ours."""
    headers: dict[str, str] = {}
    for pair in source.context_source_info or ():
        if pair.key.lower() in _NOT_OVERRIDDEN:
            continue
        value: str | None = pair.value
        if value == _REQUEST:
            value = origin.headers.get(pair.key.lower())
            if value is not None and own_tokens is not None and own_tokens in value:
                continue
        if value is not None:
            headers[pair.key] = value
    return headers


def _url(endpoint: str, path: tuple[str, ...], params: Mapping[str, str]) -> str:
    base = endpoint.rstrip("/").removesuffix(_API)
    url = f"{base}{_API}/" + "/".join(quote(part, safe=":@!$*(),;=~") for part in path)
    return f"{url}?{urlencode(params, quote_via=quote, safe=_SAFE)}" if params else url
