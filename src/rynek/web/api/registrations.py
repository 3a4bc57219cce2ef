"""Handlers of /csourceRegistrations (CIM 009 §5.9, §5.10, §6.8, §6.9)."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.context import (
    Query,
    Registrations,
    RegistrationSpec,
    TemporalSpan,
    csf_test,
    names_asked_for,
    parse_projection,
    parse_q,
    render_registration,
    short_members,
)
from rynek.web.api.bodies import document_reply, is_own_url, list_reply, read_document
from rynek.web.api.call import Call, Reply
from rynek.web.api.consumption import page_headers
from rynek.web.api.params import entity_id_of, entity_query, paging
from rynek.web.api.route import Route
from rynek.web.api.temporal_params import temporal_query

_OPTIONS: Final = frozenset(("sysAttrs", "count"))
_PROXIED: Final = ("redirect", "exclusive")
_TEMPORAL: Final = ("timerel", "timeAt", "endTimeAt")


async def create_registration(call: Call) -> Reply:
    """Register Context Source (§5.9.2): POST /csourceRegistrations."""
    document, ld = await read_document(call)
    document = short_members(document, ld)
    _refuse_own_endpoint(call, document)
    made = await call.tenant.registrations.create(document, ld)
    location = f"{call.base_path}/ngsi-ld/v1/csourceRegistrations/{quote(made.id, safe=':')}"
    return Reply(201, headers=[(b"location", location.encode())])


async def update_registration(call: Call) -> Reply:
    """Update Context Source Registration (§5.9.3): PATCH /csourceRegistrations/{id}."""
    registration_id = entity_id_of(call)
    known = _registrations(call)
    current = _find(known, registration_id)
    document, ld = await read_document(call)
    document = short_members(document, ld)
    kept = {"endpoint": current.endpoint, "mode": current.mode, "tenant": current.tenant}
    _refuse_own_endpoint(call, kept | document)
    await known.update(registration_id, document, ld)
    return Reply(204)


async def delete_registration(call: Call) -> Reply:
    """Delete Context Source Registration (§5.9.4): DELETE /csourceRegistrations/{id}."""
    await _registrations(call).delete(entity_id_of(call))
    return Reply(204)


async def retrieve_registration(call: Call) -> Reply:
    """Retrieve Context Source Registration (§5.10.1): GET /csourceRegistrations/{id}."""
    registration_id = entity_id_of(call)
    sys_attrs = _sys_attrs(call)
    known = _registrations(call)
    made = _find(known, registration_id)
    counters = known.counters(registration_id)
    document = render_registration(
        made, call.ld, counters, sys_attrs=sys_attrs, secrets=_secrets(call)
    )
    return document_reply(call, document)


async def query_registrations(call: Call) -> Reply:
    """Query Context Source Registrations (§5.10.2): GET /csourceRegistrations."""
    sys_attrs = _sys_attrs(call)
    page = paging(call.params, call.limits.default_limit, call.limits.max_limit)
    spec = _spec(call)
    known = _registrations(call)
    found = known.matching(spec)
    csf = call.params.get("csf")
    if csf is not None:
        passes = csf_test(parse_q(csf, call.ld.expand_term), call.ld)
        found = [one for one in found if passes(one.registration)]
    end = page.offset + page.limit
    secrets = _secrets(call)
    documents: list[dict[str, Any]] = [
        render_registration(
            one.registration,
            call.ld,
            known.counters(one.registration.id),
            sys_attrs=sys_attrs,
            information=[part.info for part in one.parts],
            secrets=secrets,
        )
        for one in found[page.offset : end]
    ]
    headers = page_headers(call, page, len(found) if page.count else None, end < len(found))
    return list_reply(call, documents, headers)


def _spec(call: Call) -> RegistrationSpec:
    """What the parameters ask for (§5.10.2.3); BadRequestData when that is too wide."""
    params = call.params
    query = entity_query(params, call.ld)
    if not any(params.get(name) for name in ("type", "attrs", "q", "georel")):
        raise BadRequestData("at least one of type, attrs, q and georel is needed")
    return RegistrationSpec(
        types=query.types,
        ids=query.ids,
        id_pattern=query.id_pattern,
        attrs=names_asked_for(_listed(call, query), query.q, query.geo),
        dataset_ids=[one for one in params.get("datasetId", "").split(",") if one] or None,
        geo=query.geo,
        scope=query.scope,
        temporal=_span(call),
        strict=True,
    )


def _listed(call: Call, query: Query) -> list[str]:
    """The attribute names in `attrs` and `pick`."""
    pick = call.params.get("pick")
    if not pick:
        return query.attrs
    return [*query.attrs, *sorted(parse_projection("pick", pick, call.ld.expand_term).attrs)]


def _span(call: Call) -> TemporalSpan | None:
    """The time asked about; None when there is no temporal query (§4.11)."""
    params = call.params
    if not any(name in params for name in _TEMPORAL):
        return None
    asked = temporal_query(params, call.ld, required=True)
    return TemporalSpan(asked.start, asked.end, observed=asked.time_property == "observedAt")


def _refuse_own_endpoint(call: Call, document: dict[str, Any]) -> None:
    """BadRequestData where entities are to be held elsewhere, and elsewhere is this very tenant:
    proxied data are in a location external to the broker (§4.3.6.3), and no request could be
    answered. Other names of this service are found out by the Via header of requests (§4.3.6.4)."""
    endpoint, tenant = document.get("endpoint"), document.get("tenant")
    if document.get("mode") not in _PROXIED or type(endpoint) is not str:
        return
    if (tenant or None) == call.headers.get("ngsild-tenant") and is_own_url(call, endpoint):
        raise BadRequestData(
            f"endpoint: {endpoint[:200]} is this service itself; with mode {document['mode']} the "
            "entities are held elsewhere"
        )


def _secrets(call: Call) -> bool:
    """Whether the client may see what is sent to sources: only who could have written it."""
    return bool(call.tenant.may_write(call.headers.get("authorization")))


def _sys_attrs(call: Call) -> bool:
    unknown = call.options - _OPTIONS
    if unknown:
        raise BadRequestData(f"options: {min(unknown)[:40]!r} is not known here")
    return "sysAttrs" in call.options


def _registrations(call: Call) -> Registrations:
    known: Registrations = call.tenant.registrations
    return known


def _find(known: Registrations, registration_id: str) -> Any:
    made = known.find(registration_id)
    if made is None:
        raise ResourceNotFound(f"no registration {registration_id}")
    return made


ROUTES: Final = (
    Route("GET", "csourceRegistrations", query_registrations, "read"),
    Route("POST", "csourceRegistrations", create_registration, "write", creates=True),
    Route("GET", "csourceRegistrations/*", retrieve_registration, "read"),
    Route("PATCH", "csourceRegistrations/*", update_registration, "write"),
    Route("DELETE", "csourceRegistrations/*", delete_registration, "write"),
)
