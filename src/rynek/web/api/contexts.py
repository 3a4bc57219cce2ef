"""Handlers of /jsonldContexts: the @context server (CIM 009 §5.13, §6.29, §6.30)."""

from __future__ import annotations

from typing import Any, Final, get_args
from urllib.parse import quote

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, OperationNotSupported, ResourceNotFound
from rynek.base.ids import is_uri
from rynek.context import ContextKind, ContextServer, StoredContext
from rynek.web.api.bodies import context_headers, dumps, load_json, media_type, own_url
from rynek.web.api.call import Call, Reply
from rynek.web.api.params import flag
from rynek.web.api.route import Route

_KINDS: Final = get_args(ContextKind)


async def add_context(call: Call) -> Reply:
    """Add @context (§5.13.2): POST /jsonldContexts."""
    media_type(call)
    document = load_json(call.body)
    if not isinstance(document, dict) or document.get("@context") is None:
        raise BadRequestData('the body must be a JSON object with a member "@context"')
    _check_urls(document["@context"])
    entry = await _server(call).add(document["@context"])
    return Reply(201, headers=[(b"location", _path(call, entry).encode())])


def _check_urls(content: Any) -> None:
    """BadRequestData for a reference that is no whole URL: what it is relative to, nobody says."""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str) and not is_uri(part):
            raise BadRequestData(f"the @context refers to {part[:200]!r}, which is no URL")


async def list_contexts(call: Call) -> Reply:
    """List @contexts (§5.13.3): GET /jsonldContexts."""
    details = flag(call.params, "details")
    kind = call.params.get("kind")
    if kind is not None and kind not in _KINDS:
        raise BadRequestData(f"kind is one of {', '.join(_KINDS)}, not {kind[:40]!r}")
    found = [entry for entry in _server(call).list() if kind in (None, entry.kind)]
    items = [_details(call, entry) if details else _url(call, entry) for entry in found]
    return Reply(200, dumps(items), call.accept, context_headers(call))


async def serve_context(call: Call) -> Reply:
    """Serve @context (§5.13.4): GET /jsonldContexts/{contextId}."""
    details = flag(call.params, "details")
    entry = _entry(call)
    if details:
        return Reply(200, dumps(_details(call, entry)), call.accept, context_headers(call))
    if entry.kind == "Cached":
        raise OperationNotSupported(f"{entry.id} is Cached, ask where it comes from: {entry.url}")
    return Reply(200, _server(call).serve(entry), call.accept)


async def delete_context(call: Call) -> Reply:
    """Delete and Reload @context (§5.13.5): DELETE /jsonldContexts/{contextId}."""
    reload = flag(call.params, "reload")
    entry = _entry(call)
    if reload:
        await _server(call).reload(entry)
    else:
        await _server(call).remove(entry)
    return Reply(204)


def _server(call: Call) -> ContextServer:
    server: ContextServer = call.tenant.context.contexts
    return server


def _entry(call: Call) -> StoredContext:
    name = call.path_args[0]
    entry = _server(call).find(name)
    if entry is None:
        raise ResourceNotFound(f"no @context {name[:200]}")
    return entry


def _path(call: Call, entry: StoredContext) -> str:
    return f"{call.base_path}/ngsi-ld/v1/jsonldContexts/{quote(entry.id, safe=':')}"


def _url(call: Call, entry: StoredContext) -> str:
    """Where it came from (Cached), or where it is served, by the name that the client asked for."""
    return entry.url if entry.url is not None else own_url(call, _path(call, entry))


def _details(call: Call, entry: StoredContext) -> dict[str, Any]:
    """What is known of one (§5.13.3.5)."""
    told: dict[str, Any] = {
        "URL": _url(call, entry),
        "localId": entry.id,
        "kind": entry.kind,
        "createdAt": to_iso(entry.created),
        "numberOfHits": entry.hits,
    }
    if entry.last_used is not None:
        told["lastUsage"] = to_iso(entry.last_used)
    if entry.fresh is not None and entry.fresh.expires:
        told["expiresAt"] = to_iso(entry.fresh.expires)
    return told | {"extraInfo": {"bytes": entry.size}}


ROUTES: Final = (
    Route("POST", "jsonldContexts", add_context, "write"),
    Route("GET", "jsonldContexts", list_contexts, "read"),
    Route("GET", "jsonldContexts/*", serve_context, "read", tenant_in_path=True),
    Route("DELETE", "jsonldContexts/*", delete_context, "write", tenant_in_path=True),
)
