"""Handlers of /subscriptions (CIM 009 §5.8, §6.10, §6.11)."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.context import Subscription, Subscriptions, new_subscription, render_subscription
from rynek.web.api.bodies import document_reply, list_reply, local_context_path, read_document
from rynek.web.api.call import Call, Reply
from rynek.web.api.consumption import page_headers
from rynek.web.api.params import entity_id_of, paging
from rynek.web.api.prospective import ProspectiveTenant
from rynek.web.api.route import Route

_OPTIONS: Final = frozenset(("sysAttrs", "count"))


async def create_subscription(call: Call) -> Reply:
    """Create Subscription (§5.8.1): POST /subscriptions."""
    document, ld = await read_document(call)
    tenant = call.headers.get("ngsild-tenant")
    if isinstance(call.tenant, ProspectiveTenant):
        new_subscription(document, ld, link="", tenant=tenant, now=0)
        call.tenant = call.tenant.made()
    link = ld.link or own_url(call, local_context_path(call, ld))
    made = await call.tenant.subscriptions.create(document, ld, link=link, tenant=tenant)
    location = f"{call.base_path}/ngsi-ld/v1/subscriptions/{quote(made.id, safe=':')}"
    return Reply(201, headers=[(b"location", location.encode())])


async def update_subscription(call: Call) -> Reply:
    """Update Subscription (§5.8.2): PATCH /subscriptions/{id}."""
    subscription_id = entity_id_of(call)
    known = _subscriptions(call)
    _find(known, subscription_id)
    document, ld = await read_document(call)
    await known.update(subscription_id, document, ld)
    return Reply(204)


async def delete_subscription(call: Call) -> Reply:
    """Delete Subscription (§5.8.5): DELETE /subscriptions/{id}."""
    await _subscriptions(call).delete(entity_id_of(call))
    return Reply(204)


async def retrieve_subscription(call: Call) -> Reply:
    """Retrieve Subscription (§5.8.3): GET /subscriptions/{id}."""
    subscription_id = entity_id_of(call)
    sys_attrs = _sys_attrs(call)
    known = _subscriptions(call)
    found = _find(known, subscription_id)
    return document_reply(call, _document(call, known, found, sys_attrs=sys_attrs))


async def query_subscriptions(call: Call) -> Reply:
    """Query Subscriptions (§5.8.4): GET /subscriptions."""
    sys_attrs = _sys_attrs(call)
    page = paging(call.params, call.limits.default_limit, call.limits.max_limit)
    known = _subscriptions(call)
    found = known.all()
    end = page.offset + page.limit
    documents = [
        _document(call, known, one, sys_attrs=sys_attrs) for one in found[page.offset : end]
    ]
    headers = page_headers(call, page, len(found) if page.count else None, end < len(found))
    return list_reply(call, documents, headers)


def own_url(call: Call, path: str) -> str:
    """A path of this service as a URL that others can use, by the name the client knows it by."""
    scheme = call.headers.get("x-forwarded-proto", "http")
    host = call.headers.get("x-forwarded-host") or call.headers.get("host", "localhost")
    return f"{'https' if scheme == 'https' else 'http'}://{host}{path}"


def _document(
    call: Call, known: Subscriptions, one: Subscription, *, sys_attrs: bool
) -> dict[str, Any]:
    counters = known.counters(one.id)
    return render_subscription(one, call.ld, counters, known.now(), sys_attrs=sys_attrs)


def _sys_attrs(call: Call) -> bool:
    unknown = call.options - _OPTIONS
    if unknown:
        raise BadRequestData(f"options: {min(unknown)[:40]!r} is not known here")
    return "sysAttrs" in call.options


def _subscriptions(call: Call) -> Subscriptions:
    known: Subscriptions = call.tenant.subscriptions
    return known


def _find(known: Subscriptions, subscription_id: str) -> Subscription:
    found = known.find(subscription_id)
    if found is None:
        raise ResourceNotFound(f"no subscription {subscription_id}")
    return found


ROUTES: Final = (
    Route("GET", "subscriptions", query_subscriptions, "write"),
    Route("POST", "subscriptions", create_subscription, "write", creates=True),
    Route("GET", "subscriptions/*", retrieve_subscription, "write"),
    Route("PATCH", "subscriptions/*", update_subscription, "write"),
    Route("DELETE", "subscriptions/*", delete_subscription, "write"),
)
