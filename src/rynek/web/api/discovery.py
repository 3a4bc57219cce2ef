"""Handlers of /types and /attributes (CIM 009 §6.25 - §6.28)."""

from __future__ import annotations

from typing import Final

from rynek.context import RegistrationSpec, TypeExpr, TypeSummary, discovery, distribution
from rynek.web.api.bodies import context_headers, document_reply, dumps
from rynek.web.api.call import JSON, JSON_LD, Call, Header, Reply
from rynek.web.api.distributed import is_local, matches_of, reader_of
from rynek.web.api.params import flag
from rynek.web.api.route import Route


async def list_types(call: Call) -> Reply:
    """Retrieve available entity types (§5.7.5), with details (§5.7.6)."""
    details = flag(call.params, "details")
    operation = "retrieveEntityTypeDetails" if details else "retrieveEntityTypes"
    summaries, headers = await _summaries(call, operation)
    if details:
        return _with(headers, _list(call, discovery.type_details(summaries, call.ld)))
    return _with(headers, document_reply(call, discovery.type_list(summaries, call.ld)))


async def describe_type(call: Call) -> Reply:
    """Retrieve information on one entity type (§5.7.7)."""
    iri = call.ld.expand_term(call.path_args[0])
    spec = RegistrationSpec(types=TypeExpr((frozenset((iri,)),)))
    summaries, headers = await _summaries(call, "retrieveEntityTypeInfo", spec)
    found = discovery.type_information(summaries, iri, call.ld)
    return _with(headers, document_reply(call, found))


async def list_attributes(call: Call) -> Reply:
    """Retrieve available attributes (§5.7.8), with details (§5.7.9)."""
    details = flag(call.params, "details")
    operation = "retrieveAttrTypeDetails" if details else "retrieveAttrTypes"
    summaries, headers = await _summaries(call, operation)
    if details:
        return _with(headers, _list(call, discovery.attribute_details(summaries, call.ld)))
    return _with(headers, document_reply(call, discovery.attribute_list(summaries, call.ld)))


async def describe_attribute(call: Call) -> Reply:
    """Retrieve information on one attribute (§5.7.10)."""
    iri = call.ld.expand_term(call.path_args[0])
    spec = RegistrationSpec(attrs=(iri,))
    summaries, headers = await _summaries(call, "retrieveAttrTypeInfo", spec)
    found = discovery.attribute_information(summaries, iri, call.ld)
    return _with(headers, document_reply(call, found))


async def _summaries(
    call: Call, operation: str, spec: RegistrationSpec | None = None
) -> tuple[list[TypeSummary], list[Header]]:
    """What is in use here, and at the sources that can say so (§5.7.11)."""
    here: list[TypeSummary] = call.tenant.context.types()
    if is_local(call):
        return here, []
    matches = matches_of(call, spec or RegistrationSpec(), operation)
    if not matches:
        return here, []
    reader = reader_of(call)
    params = {"details": "true"} if "details" in call.params else {}
    kind = "types" if call.path.rpartition("/types")[1] else "attributes"
    request = distribution.Outbound(
        "GET", (kind, *call.path_args), params, attribute=1 if call.path_args else None
    )
    elsewhere = await distribution.summaries(reader, matches, request)
    return distribution.together([*here, *elsewhere]), reader.headers()


def _with(headers: list[Header], reply: Reply) -> Reply:
    if headers:
        reply.headers = [*reply.headers, *headers]
    return reply


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
