"""Handlers of /csourceSubscriptions (CIM 009 §5.11, §6.12, §6.13)."""

from __future__ import annotations

from typing import Any, Final

from rynek.context import SourceSubscriptions, new_source_subscription
from rynek.web.api import subscribing
from rynek.web.api.call import Call, Reply
from rynek.web.api.route import Route
from rynek.web.api.subscribing import Kind


def _of(tenant: Any) -> SourceSubscriptions:
    known: SourceSubscriptions = tenant.source_subscriptions
    return known


_KIND: Final = Kind("csourceSubscriptions", new_source_subscription, _of)


async def create_source_subscription(call: Call) -> Reply:
    """Create Context Source Registration Subscription (§5.11.2): POST /csourceSubscriptions."""
    return await subscribing.create(call, _KIND)


async def update_source_subscription(call: Call) -> Reply:
    """Update Context Source Registration Subscription (§5.11.3): PATCH /csourceSubscriptions/{id}."""
    return await subscribing.update(call, _KIND)


async def delete_source_subscription(call: Call) -> Reply:
    """Delete Context Source Registration Subscription (§5.11.6): DELETE /csourceSubscriptions/{id}."""
    return await subscribing.delete(call, _KIND)


async def retrieve_source_subscription(call: Call) -> Reply:
    """Retrieve Context Source Registration Subscription (§5.11.4): GET /csourceSubscriptions/{id}."""
    return await subscribing.retrieve(call, _KIND)


async def query_source_subscriptions(call: Call) -> Reply:
    """Query Context Source Registration Subscriptions (§5.11.5): GET /csourceSubscriptions."""
    return await subscribing.query(call, _KIND)


ROUTES: Final = (
    Route("GET", "csourceSubscriptions", query_source_subscriptions, "write"),
    Route("POST", "csourceSubscriptions", create_source_subscription, "write", creates=True),
    Route("GET", "csourceSubscriptions/*", retrieve_source_subscription, "write"),
    Route("PATCH", "csourceSubscriptions/*", update_source_subscription, "write"),
    Route("DELETE", "csourceSubscriptions/*", delete_source_subscription, "write"),
)
