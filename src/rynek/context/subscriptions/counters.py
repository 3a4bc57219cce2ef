"""What came of notifications to one receiver (CIM 009 §5.2.14.2, §5.8.6)."""

from __future__ import annotations

from typing import Any

import msgspec

from rynek.base.clock import to_iso

__all__ = ["Counters", "DeliveryFigures", "Health"]


class Counters(msgspec.Struct, array_like=True):
    """Times are epoch microseconds, 0 for never.

    A notification counts once as sent and at most once as failed, however often it was tried;
    `last_failure` and `status` tell of the last attempt. `dropped` are those that were not sent
    because the subscription had expired.
    """

    times_sent: int = 0
    times_failed: int = 0
    last_notification: int = 0
    last_success: int = 0
    last_failure: int = 0
    status: str = ""
    last_error: str = ""
    dropped: int = 0

    def sent(self, now: int, count: int = 1) -> None:
        """So many notifications leave for the first time."""
        self.times_sent += count
        self.last_notification = now

    def succeeded(self, now: int) -> None:
        """The receiver took one."""
        self.last_success = now
        self.status = "ok"

    def failed(self, now: int, reason: str, *, first: bool) -> None:
        """An attempt failed, of a notification the `first` one that did."""
        self.times_failed += first
        self.last_failure = now
        self.status = "failed"
        self.last_error = reason[:500]

    def drop(self, count: int) -> None:
        """So many are not sent, for the subscription has expired."""
        self.dropped += count
        self.last_error = f"the subscription expired before {count} of its notifications were sent"

    def document(self) -> dict[str, Any]:
        """The members of NotificationParams that only the system says; those that have no value
        yet are left out."""
        known = {
            "status": self.status,
            "timesSent": self.times_sent,
            "timesFailed": self.times_failed,
            "lastNotification": self.last_notification and to_iso(self.last_notification),
            "lastSuccess": self.last_success and to_iso(self.last_success),
            "lastFailure": self.last_failure and to_iso(self.last_failure),
        }
        return {name: value for name, value in known.items() if value}


class Health(msgspec.Struct, frozen=True):
    """How a subscription fares, for pages. `notification_status` is "ok", "failed" or "" before
    the first; `backlog` waits to be sent, `dead` was given up, `dropped` was not sent because the
    subscription had expired; `cursor` is the number up to which everything was taken or given up. Times are epoch microseconds, 0 for never."""

    id: str
    name: str | None
    status: str
    endpoint: str
    notification_status: str
    times_sent: int
    times_failed: int
    last_notification: int
    last_success: int
    last_failure: int
    last_error: str
    backlog: int
    dead: int
    dropped: int
    cursor: int


class DeliveryFigures(msgspec.Struct, frozen=True):
    """All receivers of a tenant together: messages that wait (and their bytes), dead letters, and
    notifications sent, failed and dropped since the first one ever."""

    waiting: int
    waiting_bytes: int
    dead: int
    sent: int
    failed: int
    dropped: int
