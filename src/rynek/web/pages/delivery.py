"""Subscriptions, context sources and @contexts of a city, and how they fare, in words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek.base.log import redact
from rynek.web.pages.shell import Page

__all__ = ["Card", "Told", "contexts", "dead_letters", "sources", "subscriptions"]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


MOST: Final = 50
_STATES: Final[dict[str, tuple[str, str]]] = {
    "failed": ("bad", N_("Failing")),
    "ok": ("ok", N_("Working")),
    "active": ("wait", N_("Nothing sent yet")),
    "paused": ("off", N_("Paused")),
    "expired": ("off", N_("Expired")),
    "unasked": ("wait", N_("Not asked yet")),
}
_MODES: Final = {
    "inclusive": N_("adds to what is here"),
    "exclusive": N_("alone has it"),
    "redirect": N_("is asked instead"),
    "auxiliary": N_("fills what nobody has"),
}
_KINDS: Final = {
    "Hosted": N_("hosted here"),
    "Cached": N_("fetched from elsewhere"),
    "ImplicitlyCreated": N_("made for answers"),
}


class Card(msgspec.Struct):
    """One subscription or source: what it is, how it fares, and how many dead letters it has."""

    id: str
    title: str
    icon: str
    word: str
    endpoint: str
    facts: list[tuple[str, str, str]]
    error: str = ""
    dead: int = 0
    dead_text: str = ""
    kind: str = ""


class Told(msgspec.Struct):
    """What a section shows: cards of the first, how many more there are, and how many fare how."""

    cards: list[Card]
    more: int
    summary: list[tuple[str, str, str]]


def subscriptions(page: Page) -> Told:
    """Those of entities and those of registrations, the troubled first."""
    known = [(_state_of(one), one, "") for one in page.tenant.subscriptions.health()]
    of_sources = page.t("of context sources")
    others = page.tenant.source_subscriptions.health()
    known += [(_state_of(one), one, of_sources) for one in others]
    known.sort(key=lambda one: (one[0] != "failed", not one[1].dead, one[1].id))
    cards = [_subscription(page, health, kind) for _, health, kind in known[:MOST]]
    return Told(cards, len(known) - len(cards), _summary(page, [state for state, _, _ in known]))


def _state_of(health: Any) -> str:
    return str(
        health.status if health.status != "active" else health.notification_status or "active"
    )


def _summary(page: Page, states: Sequence[str]) -> list[tuple[str, str, str]]:
    """Icon, word and number of each state."""
    return [
        (icon, page.t(word), page.t.number(count))
        for state, count in sorted(Counter(states).items())
        for icon, word in (_STATES.get(state, ("wait", state)),)
    ]


def _subscription(page: Page, health: Any, kind: str) -> Card:
    t = page.t
    state = _state_of(health)
    icon, word = _STATES.get(state, ("wait", state))
    facts = [
        (t("Sent"), t.number(health.times_sent, 0), ""),
        (t("Failed"), t.number(health.times_failed, 0), ""),
        (t("Last success"), *_when(page, health.last_success)),
        (t("Last failure"), *_when(page, health.last_failure)),
        (t("Waiting to be sent"), t.number(health.backlog, 0), ""),
        (t("Given up (dead letters)"), t.number(health.dead, 0), ""),
    ]
    if health.dropped:
        facts.append((t("Dropped when it expired"), t.number(health.dropped, 0), ""))
    return Card(
        id=health.id,
        title=health.name or health.id,
        icon=icon,
        word=t(word),
        endpoint=without_secrets(health.endpoint),
        facts=facts,
        error=redact(health.last_error) if state == "failed" else "",
        dead=health.dead,
        dead_text=t.n("%(num)s dead letter", "%(num)s dead letters", health.dead),
        kind=kind,
    )


def dead_letters(page: Page, subscription_id: str) -> Card | None:
    """The subscription with that id where it has dead letters."""
    for owner in (page.tenant.subscriptions, page.tenant.source_subscriptions):
        for health in owner.health():
            if health.id == subscription_id and health.dead:
                return _subscription(page, health, "")
    return None


def sources(page: Page) -> Told:
    """The registered context sources, the troubled first."""
    known = page.tenant.registrations.health()
    known.sort(key=lambda one: (one.status != "failed", one.id))
    cards = [_source(page, one) for one in known[:MOST]]
    states = [one.status or "unasked" for one in known]
    return Told(cards, len(known) - len(cards), _summary(page, states))


def _source(page: Page, health: Any) -> Card:
    t = page.t
    state = health.status or "unasked"
    icon, word = _STATES.get(state, ("wait", state))
    facts = [
        (t("Asked"), t.number(health.times_sent, 0), ""),
        (t("Failed"), t.number(health.times_failed, 0), ""),
        (t("Last success"), *_when(page, health.last_success)),
        (t("Last failure"), *_when(page, health.last_failure)),
    ]
    mode = _MODES.get(health.mode, "")
    return Card(
        id=health.id,
        title=health.name or health.id,
        icon=icon,
        word=t(word),
        endpoint=without_secrets(health.endpoint),
        facts=facts,
        error=redact(health.last_error or "") if state == "failed" else "",
        kind=f"{health.mode}: {t(mode)}" if mode else health.mode,
    )


class Context(msgspec.Struct):
    """One stored @context."""

    name: str
    url: str
    kind: str
    used: str
    last: str
    size: str


def contexts(page: Page) -> list[Context]:
    """The stored @contexts, those used last first."""
    t = page.t
    path = f"{page.root}/ngsi-ld/v1/jsonldContexts/"
    stored = page.tenant.context.contexts.list()
    stored.sort(key=lambda one: one.last_used or one.created, reverse=True)
    return [
        Context(
            name=one.url or one.id,
            url=one.url or path + one.id,
            kind=t(_KINDS[one.kind]),
            used=t.number(one.hits, 0),
            last=_when(page, one.last_used)[0],
            size=f"{t.number(one.size / 1024, 1)} KiB",
        )
        for one in stored[:MOST]
    ]


def _when(page: Page, micros: int | None) -> tuple[str, str]:
    """How long ago, and exactly when; deliveries run on the machine's clock."""
    if not micros:
        return page.t("not yet"), ""
    age = page.t.age(max(0, time.time_ns() // 1000 - micros))
    return age, page.t.moment(micros, page.zone)


def without_secrets(url: str) -> str:
    """An address as anyone may see it: without account, password and query."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
