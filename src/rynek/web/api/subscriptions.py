"""Handlers of /subscriptions (CIM 009 §5.8, §6.10, §6.11)."""

from __future__ import annotations

from typing import Any, Final

from rynek.context import Subscriptions, new_subscription
from rynek.web.api import subscribing
from rynek.web.api.call import Call, Reply
from rynek.web.api.route import Route
from rynek.web.api.subscribing import Kind


def _of(tenant: Any) -> Subscriptions:
    known: Subscriptions = tenant.subscriptions
    return known


_KIND: Final = Kind("subscriptions", new_subscription, _of)


async def create_subscription(call: Call) -> Reply:
    """Create Subscription (§5.8.1): POST /subscriptions."""
    return await subscribing.create(call, _KIND)


async def update_subscription(call: Call) -> Reply:
    """Update Subscription (§5.8.2): PATCH /subscriptions/{id}."""
    return await subscribing.update(call, _KIND)


async def delete_subscription(call: Call) -> Reply:
    """Delete Subscription (§5.8.5): DELETE /subscriptions/{id}."""
    return await subscribing.delete(call, _KIND)


async def retrieve_subscription(call: Call) -> Reply:
    """Retrieve Subscription (§5.8.3): GET /subscriptions/{id}."""
    return await subscribing.retrieve(call, _KIND)


async def query_subscriptions(call: Call) -> Reply:
    """Query Subscriptions (§5.8.4): GET /subscriptions."""
    return await subscribing.query(call, _KIND)


ROUTES: Final = (
    Route("GET", "subscriptions", query_subscriptions, "write"),
    Route("POST", "subscriptions", create_subscription, "write", creates=True),
    Route("GET", "subscriptions/*", retrieve_subscription, "write"),
    Route("PATCH", "subscriptions/*", update_subscription, "write"),
    Route("DELETE", "subscriptions/*", delete_subscription, "write"),
)
