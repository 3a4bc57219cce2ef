"""What /subscriptions and /csourceSubscriptions do alike (CIM 009 §5.8, §5.11, §6.10 - §6.13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from rynek.base.errors import BadRequestData, LoopDetected, ResourceNotFound
from rynek.context import (
    CompiledContext,
    SourceSubscriptions,
    Subscription,
    Subscriptions,
    distribution,
    render_subscription,
    short_members,
)
from rynek.web.api.bodies import (
    document_reply,
    list_reply,
    local_context_path,
    own_url,
    read_document,
)
from rynek.web.api.call import Call, Reply
from rynek.web.api.consumption import page_headers
from rynek.web.api.params import entity_id_of, paging
from rynek.web.api.prospective import ProspectiveTenant

_OPTIONS: Final = frozenset(("sysAttrs", "count"))

Known = Subscriptions | SourceSubscriptions


class Kind(NamedTuple):
    """One kind of subscriptions: its path, what checks a new document, where a tenant has them."""

    path: str
    new: Callable[..., Subscription]
    of: Callable[[Any], Known]


async def create(call: Call, kind: Kind) -> Reply:
    """Make one; a tenant that is not there yet comes into being when the document is right."""
    document, ld = await read_document(call)
    document = short_members(document, ld)
    via = distribution.passed(call.headers)
    if call.tenant.alias in via or distribution.is_endless(call.headers):
        raise LoopDetected("the request has come through here before: registrations form a loop")
    tenant = call.headers.get("ngsild-tenant")
    if isinstance(call.tenant, ProspectiveTenant):
        kind.new(document, ld, link="", tenant=tenant, now=0)
        call.tenant = call.tenant.made()
    link = context_link(call, document, ld)
    made = await kind.of(call.tenant).create(
        document, ld, link=link, tenant=tenant, via=tuple(sorted(via))
    )
    location = f"{call.base_path}/ngsi-ld/v1/{kind.path}/{quote(made.id, safe=':')}"
    return Reply(201, headers=[(b"location", location.encode())])


async def update(call: Call, kind: Kind) -> Reply:
    """Change one by a fragment."""
    subscription_id = entity_id_of(call)
    known = kind.of(call.tenant)
    _find(known, subscription_id)
    document, ld = await read_document(call)
    document = short_members(document, ld)
    await known.update(subscription_id, document, ld)
    return Reply(204)


async def delete(call: Call, kind: Kind) -> Reply:
    """Delete one."""
    await kind.of(call.tenant).delete(entity_id_of(call))
    return Reply(204)


async def retrieve(call: Call, kind: Kind) -> Reply:
    """Show one."""
    subscription_id = entity_id_of(call)
    sys_attrs = _sys_attrs(call)
    known = kind.of(call.tenant)
    found = _find(known, subscription_id)
    return document_reply(call, _document(call, known, found, sys_attrs=sys_attrs))


async def query(call: Call, kind: Kind) -> Reply:
    """Show a page of them, in the order in which they came."""
    sys_attrs = _sys_attrs(call)
    page = paging(call.params, call.limits.default_limit, call.limits.max_limit)
    known = kind.of(call.tenant)
    found = known.all()
    end = page.offset + page.limit
    documents = [
        _document(call, known, one, sys_attrs=sys_attrs) for one in found[page.offset : end]
    ]
    headers = page_headers(call, page, len(found) if page.count else None, end < len(found))
    return list_reply(call, documents, headers)


def context_link(call: Call, document: dict[str, Any], ld: CompiledContext) -> str:
    """The URL under which notifications name the @context.

    An array of several parts gets one of its own here (§5.13.1), also where the core context beside
    a single URL is all of it and the URL is what notifications name.
    """
    if ld.link is None:
        return own_url(call, local_context_path(call, ld))
    given = document.get("@context")
    if isinstance(given, list) and len(given) > 1:
        call.tenant.context.contexts.refer_to(given)
    return ld.link


def _document(call: Call, known: Known, one: Subscription, *, sys_attrs: bool) -> dict[str, Any]:
    counters = known.counters(one.id)
    return render_subscription(one, call.ld, counters, known.now(), sys_attrs=sys_attrs)


def _sys_attrs(call: Call) -> bool:
    unknown = call.options - _OPTIONS
    if unknown:
        raise BadRequestData(f"options: {min(unknown)[:40]!r} is not known here")
    return "sysAttrs" in call.options


def _find(known: Known, subscription_id: str) -> Subscription:
    found = known.find(subscription_id)
    if found is None:
        raise ResourceNotFound(f"no subscription {subscription_id}")
    return found
