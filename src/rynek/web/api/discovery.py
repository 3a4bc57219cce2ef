"""Handlers of /types, /attributes and /jsonldContexts (CIM 009 §6.25 - §6.28, §6.29)."""

from __future__ import annotations

from typing import Final

from rynek.base.errors import OperationNotSupported, ResourceNotFound
from rynek.context import core_context, discovery
from rynek.web.api.bodies import context_headers, document_reply, dumps
from rynek.web.api.call import JSON, JSON_LD, Call, Reply
from rynek.web.api.params import flag
from rynek.web.api.route import Route


async def list_types(call: Call) -> Reply:
    """Retrieve available entity types (§5.7.5), with details (§5.7.6)."""
    summaries = call.tenant.context.types()
    if flag(call.params, "details"):
        return _list(call, discovery.type_details(summaries, call.ld))
    return document_reply(call, discovery.type_list(summaries, call.ld))


async def describe_type(call: Call) -> Reply:
    """Retrieve information on one entity type (§5.7.7)."""
    iri = call.ld.expand_term(call.path_args[0])
    found = discovery.type_information(call.tenant.context.types(), iri, call.ld)
    return document_reply(call, found)


async def list_attributes(call: Call) -> Reply:
    """Retrieve available attributes (§5.7.8), with details (§5.7.9)."""
    summaries = call.tenant.context.types()
    if flag(call.params, "details"):
        return _list(call, discovery.attribute_details(summaries, call.ld))
    return document_reply(call, discovery.attribute_list(summaries, call.ld))


async def describe_attribute(call: Call) -> Reply:
    """Retrieve information on one attribute (§5.7.10)."""
    iri = call.ld.expand_term(call.path_args[0])
    found = discovery.attribute_information(call.tenant.context.types(), iri, call.ld)
    return document_reply(call, found)


async def serve_context(call: Call) -> Reply:
    """Serve a @context that answers refer to by its id (§5.13.4)."""
    digest = call.path_args[0]
    if call.tenant.context.store.remote_context(digest) is not None:
        raise OperationNotSupported(f"{digest} is only kept here; ask where it comes from")
    ld = core_context() if digest == core_context().id else None
    ld = ld or call.tenant.context.resolver.by_id(digest)
    ld = ld or call.tenant.context.store.context_by_id(digest)
    if ld is None:
        raise ResourceNotFound(f"no @context {digest}")
    return Reply(200, dumps({"@context": ld.link_value}), JSON_LD)


def _list(call: Call, items: list[dict[str, object]]) -> Reply:
    if call.accept == JSON:
        return Reply(200, dumps(items), JSON, context_headers(call))
    return Reply(200, dumps([one | {"@context": call.ld.member} for one in items]), JSON_LD)


ROUTES: Final = (
    Route("GET", "types", list_types, "read"),
    Route("GET", "types/*", describe_type, "read"),
    Route("GET", "attributes", list_attributes, "read"),
    Route("GET", "attributes/*", describe_attribute, "read"),
    Route("GET", "jsonldContexts/*", serve_context, "read"),
)
