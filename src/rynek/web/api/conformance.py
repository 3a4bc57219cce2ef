"""Payloads for clients of an earlier version of the standard (CIM 009 §4.3.6.8, §6.3.6)."""

from __future__ import annotations

import re
from typing import Final

from rynek.context import Version, as_of
from rynek.web.api.bodies import dumps, load_json
from rynek.web.api.call import Reply

CURRENT: Final[Version] = (1, 9)
_PREFERENCE: Final = re.compile(r'(?:^|[,;\s])ngsi-ld\s*=\s*"?(\d{1,3})\.(\d{1,3})(?![.\d])')


def preferred_version(prefer: str) -> Version | None:
    """The version that a Prefer header asks for by `ngsi-ld=major.minor`; None when it does not."""
    found = _PREFERENCE.search(prefer.lower())
    return (int(found[1]), int(found[2])) if found else None


def conform(reply: Reply, version: Version, *, entities: bool, simplified: bool) -> Reply:
    """The reply with its payload amended to `version`, 203 where that altered it, and with
    Preference-Applied.

    Payloads of other operations than those that send `entities` are as of now in every version;
    in the simplified representation only members of the entity can be told.
    """
    if not reply.body or reply.status not in (200, 201, 206):
        return reply
    applied = CURRENT
    if version < CURRENT and entities:
        applied = max(version, (1, 0))
        before = load_json(reply.body)
        body = dumps(as_of(before, applied, simplified=simplified))
        if body != dumps(before):
            reply.body = body
            reply.status = 203 if reply.status == 200 else reply.status
    value = f"ngsi-ld={applied[0]}.{applied[1]}".encode()
    reply.headers = [*reply.headers, (b"preference-applied", value)]
    return reply
