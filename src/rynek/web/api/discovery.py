"""Handlers of /types and /attributes (CIM 009 §6.25 - §6.28)."""

from __future__ import annotations

from typing import Final

from rynek.context import discovery
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


def _list(call: Call, items: list[dict[str, object]]) -> Reply:
    if call.accept == JSON:
        return Reply(200, dumps(items), JSON, context_headers(call))
    return Reply(200, dumps([one | {"@context": call.ld.member} for one in items]), JSON_LD)


ROUTES: Final = (
    Route("GET", "types", list_types, "read"),
    Route("GET", "types/*", describe_type, "read"),
    Route("GET", "attributes", list_attributes, "read"),
    Route("GET", "attributes/*", describe_attribute, "read"),
)
