"""From settings and a folder to subscriptions."""

from __future__ import annotations

from pathlib import Path

from rynek.base.settings import Settings
from rynek.base.sqlite import connect
from rynek.context.live import Context
from rynek.context.subscriptions.deliveries import DeliveryLimits
from rynek.context.subscriptions.kept import KIND, SOURCES_KIND
from rynek.context.subscriptions.line import LineLimits
from rynek.context.subscriptions.registry import SubscriptionLimits, Subscriptions
from rynek.context.subscriptions.senders import Senders

__all__ = ["has_subscriptions", "open_subscriptions"]


def open_subscriptions(
    context: Context, settings: Settings, via: str, snapshot: str | None = None
) -> Subscriptions:
    """The subscriptions of a tenant, or of a snapshot of it; `via` is its pseudonym, by which it
    knows its own messages."""
    told = settings.notifications
    senders = Senders(
        allow_private=settings.network.allow_private,
        timeout=told.timeout_seconds,
        connections=told.connections,
        pipeline=told.pipeline,
    )
    line = LineLimits(keep=told.keep_hours * 3600, first_delay=told.retry_seconds)
    delivery = DeliveryLimits(told.max_backlog, told.max_backlog_mb << 20, told.max_dead, line)
    return Subscriptions(
        context,
        senders,
        via,
        SubscriptionLimits(told.max_subscriptions, delivery),
        snapshot=snapshot,
    )


def has_subscriptions(folder: Path) -> bool:
    """Whether the tenant in `folder` has any, also to registrations, without opening it for long; False when it cannot be
    read or is of an earlier format, whose subscriptions nobody made yet."""
    path = folder / "state.db"
    if not path.exists():
        return False
    try:
        connection = connect(path, read_only=True, cache_kib=64)
        try:
            sql = "SELECT 1 FROM document WHERE kind IN (?, ?) LIMIT 1"
            return connection.execute(sql, (KIND, SOURCES_KIND)).fetchone() is not None
        finally:
            connection.close()
    except Exception:  # apsw's errors have no common base outside of base.sqlite
        return False
