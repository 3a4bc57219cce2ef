"""Subscriptions as they are kept beside the entities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.base.typed import decoder
from rynek.context.jsonld import CompiledContext
from rynek.context.subscriptions.model import Member, Subscription
from rynek.context.subscriptions.parse import assemble

__all__ = ["KIND", "SOURCES_KIND", "contexts_of", "dump", "load"]

KIND: Final = "subscription"
SOURCES_KIND: Final = "csourceSubscription"


class _Kept(msgspec.Struct, omit_defaults=True):
    """Members with the hash of the @context their names are from."""

    id: str
    members: dict[str, tuple[str, Any]]
    notify: str
    link: str
    tenant: str | None = None
    via: tuple[str, ...] = ()
    created_at: int = 0
    modified_at: int = 0


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = decoder(_Kept).decode


def contexts_of(one: Subscription) -> list[CompiledContext]:
    """The @contexts that a subscription needs, each once."""
    found = [one.notify_ld, *(member.ld for member in one.members.values())]
    return list({ld.id: ld for ld in found}.values())


def dump(one: Subscription) -> bytes:
    """The kept form; its @contexts are kept apart (Txn.keep_context)."""
    members = {name: (member.ld.id, member.value) for name, member in one.members.items()}
    return _encode(
        _Kept(
            one.id,
            members,
            one.notify_ld.id,
            one.link,
            one.tenant,
            one.via,
            one.created_at,
            one.modified_at,
        )
    )


def load(body: bytes, context: Callable[[str], CompiledContext | None]) -> Subscription:
    """The subscription in a kept form; LookupError when one of its @contexts is not there."""

    def found(digest: str) -> CompiledContext:
        ld = context(digest)
        if ld is None:
            raise LookupError(f"no @context {digest}")
        return ld

    kept = _decode(body)
    return assemble(
        kept.id,
        {name: Member(value, found(ld)) for name, (ld, value) in kept.members.items()},
        notify_ld=found(kept.notify),
        link=kept.link,
        tenant=kept.tenant,
        via=kept.via,
        created_at=kept.created_at,
        modified_at=kept.modified_at,
    )
