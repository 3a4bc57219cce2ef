"""Subscriptions, context sources and @contexts of a city, and how they fare, in words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek.web.pages.shell import Page

__all__ = ["Card", "contexts", "dead_letters", "first", "sources", "subscriptions", "summary"]


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
    backlog: int = 0
    kind: str = ""


def subscriptions(page: Page) -> list[Card]:
    """Those of entities and those of registrations, the troubled first."""
    cards = [_subscription(page, each, "") for each in page.tenant.subscriptions.health()]
    of_sources = page.t("of context sources")
    others = page.tenant.source_subscriptions.health()
    cards += [_subscription(page, each, of_sources) for each in others]
    return sorted(cards, key=_urgency)


def _urgency(card: Card) -> tuple[bool, bool, str]:
    return card.icon != "bad", not card.dead, card.title.casefold()


def _subscription(page: Page, health: Any, kind: str) -> Card:
    t = page.t
    state = health.status if health.status != "active" else health.notification_status or "active"
    icon, word = _STATES.get(state, ("wait", state))
    facts = [
        (t("Sent"), t.number(health.times_sent, 0), ""),
        (t("Failed"), t.number(health.times_failed, 0), ""),
        (t("Last success"), *_when(page, health.last_success)),
        (t("Last failure"), *_when(page, health.last_failure)),
        (t("Waiting to be sent"), t.number(health.backlog, 0), ""),
        (t("Given up (dead letters)"), t.number(health.dead, 0), ""),
    ]
    return Card(
        id=health.id,
        title=health.name or health.id,
        icon=icon,
        word=t(word),
        endpoint=health.endpoint,
        facts=facts,
        error=health.last_error if state == "failed" else "",
        dead=health.dead,
        dead_text=t.n("%(num)s dead letter", "%(num)s dead letters", health.dead),
        backlog=health.backlog,
        kind=kind,
    )


def summary(cards: Sequence[Card]) -> list[tuple[str, str, int]]:
    """Icon, word and number of each state: what those see who may not look at subscriptions."""
    counts: dict[tuple[str, str], int] = {}
    for card in cards:
        counts[card.icon, card.word] = counts.get((card.icon, card.word), 0) + 1
    return [(icon, word, count) for (icon, word), count in counts.items()]


def dead_letters(page: Page, subscription_id: str) -> Card | None:
    """The subscription with that id where it has dead letters."""
    return next(
        (card for card in subscriptions(page) if card.id == subscription_id and card.dead), None
    )


def sources(page: Page) -> list[Card]:
    """The registered context sources, the troubled first."""
    return sorted(
        (_source(page, each) for each in page.tenant.registrations.health()), key=_urgency
    )


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
        endpoint=health.endpoint,
        facts=facts,
        error=(health.last_error or "") if state == "failed" else "",
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
        for one in stored
    ]


def _when(page: Page, micros: int | None) -> tuple[str, str]:
    """How long ago, and exactly when; deliveries run on the machine's clock."""
    if not micros:
        return page.t("not yet"), ""
    age = page.t.age(max(0, time.time_ns() // 1000 - micros))
    return age, page.t.moment(micros, page.zone)


def first(cards: Sequence[Card]) -> Sequence[Card]:
    """As many as one page shows."""
    return cards[:MOST]
