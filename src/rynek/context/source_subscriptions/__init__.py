"""Subscriptions to context source registrations and their notifications (CIM 009 §5.11)."""

from __future__ import annotations

from rynek.base.settings import Settings
from rynek.context.live import Context
from rynek.context.registrations import Registrations
from rynek.context.source_subscriptions.registry import (
    SourceSubscriptions,
    new_source_subscription,
)
from rynek.context.subscriptions import Subscriptions

__all__ = ["SourceSubscriptions", "new_source_subscription", "open_source_subscriptions"]


def open_source_subscriptions(
    context: Context,
    registrations: Registrations,
    subscriptions: Subscriptions,
    settings: Settings,
    via: str,
) -> SourceSubscriptions:
    """Those of a tenant, delivered by what delivers its other notifications."""
    return SourceSubscriptions(
        context,
        registrations,
        subscriptions.deliveries,
        via,
        settings.notifications.max_subscriptions,
    )
