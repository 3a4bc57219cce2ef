"""New subscriptions from documents, changed ones from fragments (CIM 009 §5.8.1.4, §5.8.2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from rynek.base.errors import BadRequestData
from rynek.context.contexts import ContextResolver
from rynek.context.jsonld import CompiledContext
from rynek.context.jsonld.names import is_uri
from rynek.context.model import NULL
from rynek.context.subscriptions.model import Member, Subscription
from rynek.context.subscriptions.parse import Given, assemble, check_identity, read, whole

__all__ = ["changed_subscription", "new_subscription", "notify_context"]

_NOTIFICATION: Final = "notification"
_WITH_NAMES: Final = ("attributes", "pick", "omit")


def new_subscription(
    document: Mapping[str, Any],
    ld: CompiledContext,
    *,
    link: str,
    tenant: str | None,
    now: int,
    via: tuple[str, ...] = (),
    sources: bool = False,
) -> Subscription:
    """What a document makes (§5.8.1.4), with a new id where it has none; its jsonldContext is not
    looked at yet. `sources`: it is about registrations, not entities. BadRequestData."""
    made_id = check_identity(document, expected=None) or _new_id()
    given = whole(read(document, ld, fragment=False, sources=sources))
    made = assemble(
        made_id,
        given,
        notify_ld=ld,
        link=link,
        tenant=tenant,
        via=via,
        created_at=now,
        modified_at=now,
    )
    _check_expiry(made, given, now)
    return made


def changed_subscription(
    current: Subscription,
    changes: Given,
    context: tuple[CompiledContext, str] | None,
    now: int,
) -> Subscription:
    """`current` with the fragment's members in the place of its own (§5.5.8, §5.8.2.4); `context`
    is that of notifications where the fragment names one."""
    merged: Given = {**current.members, **changes}
    told = changes.get(_NOTIFICATION)
    if told is not None and type(told.value) is dict and "endpoint" not in told.value:
        merged[_NOTIFICATION] = _completed(current.members[_NOTIFICATION], told)
    if (
        changes.get("expiresAt") is not None
        and "isActive" not in changes
        and current.status(now) == "expired"
    ):
        merged["isActive"] = None  # its status becomes active again
    notify_ld, link = context or (current.notify_ld, current.link)
    made = assemble(
        current.id,
        whole(merged),
        notify_ld=notify_ld,
        link=link,
        tenant=current.tenant,
        via=current.via,
        created_at=current.created_at,
        modified_at=now,
    )
    _check_expiry(made, changes, now)
    return made


def _completed(kept: Member, told: Member) -> Member:
    """NotificationParams of a fragment that leave out the endpoint: no whole ones could (Table
    5.2.14.1-1), so what they name is put into those that are there, or taken out by a Null."""
    rest = {name: item for name, item in kept.value.items() if name not in told.value}
    given = {name: item for name, item in told.value.items() if item not in (NULL, None)}
    if given.keys().isdisjoint(_WITH_NAMES):
        ld = kept.ld
    elif rest.keys().isdisjoint(_WITH_NAMES) or kept.ld is told.ld:
        ld = told.ld
    else:
        raise BadRequestData(
            "notification: has no endpoint, and its names are from another @context than those of "
            "the subscription: give it whole"
        )
    return Member(rest | given, ld)


async def notify_context(
    resolver: ContextResolver, given: Mapping[str, Any], ld: CompiledContext, link: str
) -> tuple[CompiledContext, str]:
    """The @context of notifications and its URL (§5.8.1.4): that of jsonldContext, or `ld` and
    `link`. LdContextNotAvailable, BadRequestData."""
    member = given.get("jsonldContext")
    if member is None:
        return ld, link
    url = member.value
    if type(url) is not str or not is_uri(url):
        raise BadRequestData("jsonldContext: is not a URI")
    return await resolver.resolve(url), url


def _check_expiry(made: Subscription, given: Mapping[str, Any], now: int) -> None:
    """A fragment, or a new document, cannot name a time in the past; a kept one may."""
    if given.get("expiresAt") is not None and made.expires is not None and made.expires <= now:
        raise BadRequestData("expiresAt: is in the past")


def _new_id() -> str:
    return f"urn:ngsi-ld:Subscription:{uuid4()}"
