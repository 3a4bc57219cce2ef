"""Notifications of registrations (CIM 009 §5.3.2, §5.11.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from rynek.base.clock import to_iso
from rynek.context.registrations import Counters, Registration, RegistrationInfo
from rynek.context.registrations.render import render_registration
from rynek.context.registrations.watched import Reason
from rynek.context.subscriptions import Subscription

__all__ = ["JSON_LD", "Shown", "notification_body"]

JSON_LD: Final = "application/ld+json"
_dumps: Final = msgspec.json.Encoder().encode


class Shown(msgspec.Struct):
    """A registration as a notification shows it: with just these parts of its information."""

    registration: Registration
    information: Sequence[RegistrationInfo]
    counters: Counters | None = None


def notification_body(
    one: Subscription,
    notification_id: str,
    notified_at: int,
    reason: Reason,
    registrations: Sequence[Shown],
) -> bytes:
    """A CSourceNotification as bytes; `notified_at` in epoch µs."""
    ld = one.notify_ld
    data = [
        render_registration(
            shown.registration,
            ld,
            shown.counters,
            sys_attrs=one.view.sys_attrs,
            information=shown.information,
        )
        for shown in registrations
    ]
    document = {
        "id": notification_id,
        "type": "ContextSourceNotification",
        "subscriptionId": one.id,
        "notifiedAt": to_iso(notified_at),
        "triggerReason": reason,
        "data": data,
    }
    if one.endpoint.media == JSON_LD:
        document["data"] = [item | {"@context": ld.member} for item in data]
        document["@context"] = ld.member
    return _dumps(document)
