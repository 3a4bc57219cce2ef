"""Bodies in and out: JSON with its @context, entities as the client asked for them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from rynek.base.errors import (
    BadRequestData,
    InvalidRequest,
    LoopDetected,
    UnsupportedMediaType,
)
from rynek.base.pace import Pace
from rynek.context import (
    CompiledContext,
    Row,
    View,
    body_with_context,
    decode,
    distribution,
    join_bodies,
    link_header,
    render_entity,
    render_feature,
    single_node,
)
from rynek.web.api.call import JSON, JSON_LD, Call, Header, Reply
from rynek.web.api.params import PLAIN, geometry_property, wants_geojson

_loads: Final = msgspec.json.Decoder().decode
dumps: Final = msgspec.json.Encoder().encode
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[A-Za-z0-9._\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_PLAIN_JSON: Final = "application/json"
_MERGE_PATCH: Final = "application/merge-patch+json"
_NO_CONTEXT: Final = "application/ld+json needs an @context in the body"
CONTEXT_TWICE: Final = "with application/ld+json the @context goes into the body, not into Link"
_CONTEXT_IN_JSON: Final = "application/json must not have an @context in the body"


def media_type(call: Call) -> str:
    """The body's media type: JSON, JSON-LD or (for patches) merge-patch; 415 otherwise."""
    told = call.headers.get("content-type", "")
    if told == _PLAIN_JSON:
        return told
    media, _, rest = told.partition(";")
    media = media.strip().lower()
    if rest and _is_other_charset(rest):
        raise UnsupportedMediaType("JSON is sent in UTF-8")
    if media in ("application/json", "application/ld+json"):
        return media
    if media == _MERGE_PATCH and call.method == "PATCH":
        return media
    raise UnsupportedMediaType(
        "send application/json or application/ld+json" + (f", not {media[:60]}" if media else "")
    )


def _is_other_charset(parameters: str) -> bool:
    """Whether a Content-Type names an encoding that JSON does not have (RFC 8259 §8.1)."""
    _, named, charset = parameters.lower().partition("charset=")
    name = charset.partition(";")[0].strip().strip('"')
    return bool(named) and name not in ("utf-8", "utf8", "us-ascii")


def load_json(body: bytes) -> Any:
    """The body as JSON; InvalidRequest when it is none."""
    try:
        return _loads(body)
    except RecursionError:
        raise InvalidRequest("the JSON nests too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None


def plain_document(call: Call) -> dict[str, Any] | None:
    """An object body that is just JSON, as most are; None for all that `read_document` has to look
    at."""
    if call.headers.get("content-type") != _PLAIN_JSON:
        return None
    document = load_json(call.body)
    if type(document) is not dict or "@context" in document or "via" in call.headers:
        return None
    return document


async def read_document(call: Call) -> tuple[dict[str, Any], CompiledContext]:
    """An object body and the @context that holds for it (§6.3.5)."""
    media = media_type(call)
    document = load_json(call.body)
    if media == "application/ld+json":
        document = single_node(document)
    if not isinstance(document, dict):
        raise BadRequestData("the body must be a JSON object")
    if document.get("type") == "Notification" and "via" in call.headers:
        _refuse_own(call)
    if media == _PLAIN_JSON and "@context" not in document:
        return document, call.ld
    return document, await context_of(call, document, media)


def _refuse_own(call: Call) -> None:
    """LoopDetected for a notification of this very service: a subscription to itself would make
    changes that it is notified of, without end."""
    if call.tenant.service_alias in distribution.passed(call.headers):
        raise LoopDetected("this is a notification of this service: it cannot be its own receiver")


async def read_list(call: Call) -> tuple[list[Any], str]:
    """An array body and its media type.

    BadRequestData for what makes the whole request wrong: no array, an empty one or one with a
    null (§5.6.7.4), and an @context where the other media type has its own (§6.3.5).
    """
    media = media_type(call)
    items = load_json(call.body)
    if not isinstance(items, list):
        raise BadRequestData("the body must be a JSON array")
    if not items or None in items:
        raise BadRequestData("the array is empty or has a null in it")
    having = any(type(item) is dict and "@context" in item for item in items)
    if media != "application/ld+json":
        if having:
            raise BadRequestData(_CONTEXT_IN_JSON)
    elif call.ld_from_link:
        raise BadRequestData(CONTEXT_TWICE)
    elif not having and any(type(item) is dict for item in items):
        raise BadRequestData(_NO_CONTEXT)
    return items, media


async def context_of(call: Call, document: dict[str, Any], media: str) -> CompiledContext:
    """The @context of one document: in it for JSON-LD, from the Link header otherwise."""
    spec = document.get("@context")
    if media == "application/ld+json":
        if spec is None:
            raise BadRequestData(_NO_CONTEXT)
        if call.ld_from_link:
            raise BadRequestData(CONTEXT_TWICE)
        resolver = call.tenant.context.resolver
        cached: CompiledContext | None = resolver.resolve_cached(spec)
        if cached is not None:
            return cached
        resolved: CompiledContext = await resolver.resolve(spec)
        return resolved
    if spec is not None:
        raise BadRequestData(_CONTEXT_IN_JSON)
    return call.ld


def context_headers(call: Call) -> list[Header]:
    """The Link header that names the @context of a plain JSON answer (§6.3.6)."""
    if call.accept == JSON_LD:
        return []
    return [_link(context_url(call))]


@lru_cache(maxsize=512)
def _link(url: str) -> Header:
    return b"link", link_header(url).encode()


def context_url(call: Call) -> str:
    """Where the @context of an answer can be had: the client's URL, or here by its local id, as a
    whole URL: it is told on in requests to others."""
    ld = call.ld
    if ld.link is not None:
        return ld.link
    return own_url(call, local_context_path(call, ld))


def local_context_path(call: Call, ld: CompiledContext) -> str:
    """The path under which a @context that is no single URL is served here."""
    local_id = call.tenant.context.contexts.refer(ld)
    return f"{call.base_path}/ngsi-ld/v1/jsonldContexts/{local_id}"


def own_url(call: Call, path: str) -> str:
    """A path of this service as a URL that others can use, by the name the client knows it by."""
    host = call.headers.get("host", "")
    if _HOST.fullmatch(host) is None:
        host = "localhost"
    return f"{call.scheme}://{host}{path}"


def is_own_url(call: Call, url: str) -> bool:
    """Whether a URL is that of this API, by the name the client knows it by; all names of the
    loopback interface are one."""
    try:
        own, other = urlsplit(own_url(call, "")), urlsplit(url)
        same_port = (own.port or _PORTS.get(own.scheme)) == (other.port or _PORTS.get(other.scheme))
    except ValueError:
        return False
    paths = (call.base_path, f"{call.base_path}/ngsi-ld/v1")
    names = {"loopback" if _is_loopback(one.hostname) else one.hostname for one in (own, other)}
    return same_port and len(names) == 1 and other.path.rstrip("/") in paths


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def entity_reply(call: Call, row: Row, view: View) -> Reply:
    """One entity in the form the client asked for."""
    ld = call.ld
    if view is PLAIN and call.accept == JSON and row.ctx.id == ld.id:
        return Reply(200, row.body, JSON, context_headers(call))
    if wants_geojson(call):
        feature = render_feature(
            decode(row.body, row.times, row.ctx),
            ld,
            view,
            geometry_property=geometry_property(call),
        )
        return document_reply(call, feature)
    if call.accept == JSON_LD:
        return Reply(200, body_with_context(entity_body(row, ld, view), ld), JSON_LD)
    return Reply(200, entity_body(row, ld, view), JSON, context_headers(call))


def entity_body(row: Row, ld: CompiledContext, view: View) -> bytes:
    """One entity as bytes: the stored ones where they are just what was asked for."""
    if view is PLAIN and row.ctx.id == ld.id:
        return row.body
    return dumps(render_entity(decode(row.body, row.times, row.ctx), ld, view))


def bodies_reply(call: Call, bodies: list[bytes], headers: list[Header]) -> Reply:
    """A list of entities whose bodies stand as the client asked for them."""
    if call.accept == JSON_LD:
        bodies = [body_with_context(body, call.ld) for body in bodies]
        return Reply(200, join_bodies(bodies), JSON_LD, headers)
    return Reply(200, join_bodies(bodies), JSON, context_headers(call) + headers)


async def entities_reply(
    call: Call, rows: Sequence[Row], view: View, headers: list[Header]
) -> Reply:
    """A list of entities in the form the client asked for."""
    ld, pace = call.ld, Pace()
    if wants_geojson(call):
        attr, features = geometry_property(call), []
        for row in rows:
            entity = decode(row.body, row.times, row.ctx)
            features.append(render_feature(entity, ld, view, geometry_property=attr))
            if pace.due():
                await pace.turn()
        reply = document_reply(call, {"type": "FeatureCollection", "features": features})
        reply.headers = reply.headers + headers
        return reply
    bodies = []
    for row in rows:
        bodies.append(entity_body(row, ld, view))
        if pace.due():
            await pace.turn()
    if call.accept == JSON_LD:
        bodies = [body_with_context(body, ld) for body in bodies]
    return Reply(200, join_bodies(bodies), call.accept, context_headers(call) + headers)


def list_reply(call: Call, documents: Sequence[dict[str, Any]], headers: list[Header]) -> Reply:
    """An array of objects, each with its @context inside for JSON-LD (§6.3.6)."""
    if call.accept == JSON:
        return Reply(200, dumps(documents), JSON, context_headers(call) + headers)
    member = call.ld.member
    return Reply(200, dumps([one | {"@context": member} for one in documents]), JSON_LD, headers)


def document_reply(call: Call, document: dict[str, Any], status: int = 200) -> Reply:
    """Any object, with its @context inside for JSON-LD and GeoJSON, in the Link header for JSON
    and for GeoJSON with `Prefer: body=json` (§6.3.6)."""
    if call.accept == JSON:
        return Reply(status, dumps(document), JSON, context_headers(call))
    if call.accept == JSON_LD:
        return Reply(status, dumps(document | {"@context": call.ld.member}), JSON_LD)
    if "body=json" in call.headers.get("prefer", "").replace('"', "").replace(" ", ""):
        return Reply(status, dumps(document), call.accept, context_headers(call))
    return Reply(status, dumps(document | {"@context": call.ld.member}), call.accept)
