"""The handler of /info (CIM 009 §5.15, §6.33)."""

from __future__ import annotations

from typing import Final

from rynek import __version__
from rynek.base.clock import to_iso
from rynek.web.api.bodies import document_reply
from rynek.web.api.call import Call, Reply
from rynek.web.api.route import Route


async def source_identity(call: Call) -> Reply:
    """Retrieve Context Source Identity Information (§5.15.1): GET /info/sourceIdentity."""
    tenant = call.tenant
    return document_reply(
        call,
        {
            "id": f"urn:ngsi-ld:ContextSourceIdentity:{tenant.alias}",
            "type": "ContextSourceIdentity",
            "contextSourceAlias": tenant.alias,
            "contextSourceUptime": _duration(tenant.uptime_seconds),
            "contextSourceTimeAt": to_iso(tenant.clock.now()),
            "contextSourceExtras": {"software": "rynek", "version": __version__},
        },
    )


def _duration(seconds: float) -> str:
    """An ISO 8601 duration of days, hours, minutes and seconds."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"P{days}DT{hours}H{minutes}M{left}S" if days else f"PT{hours}H{minutes}M{left}S"


ROUTES: Final = (Route("GET", "info/sourceIdentity", source_identity, "read"),)
