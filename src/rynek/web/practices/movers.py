"""Cards that are about an indicator, in words: for their own page and the few that others show."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from rynek.indicators import Definition
from rynek.practices.search import Like, Moved, Mover, movers
from rynek.web.contract import said
from rynek.web.i18n import Translator
from rynek.web.pages import practice_words as words
from rynek.web.pages.shell import Page
from rynek.web.practices.likes import Beside, alike_beside, alike_words, city_name
from rynek.web.practices.moving import read_like

__all__ = ["MovedCard", "asked", "asking", "card_of", "moved_cards"]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


_DIRECTIONS: Final = {
    "better": words.Verdict(N_("For the better"), "ok"),
    "worse": words.Verdict(N_("For the worse"), "bad"),
    "changed": words.Verdict(N_("It changed"), "part"),
    "unclear": words.Verdict(N_("No effect told from zero"), "none"),
    "mixed": words.Verdict(N_("Answers differ"), "part"),
    "unmeasured": words.Verdict(N_("Not measured"), "question"),
}
# Below this level nothing untreated stood beside it: what changed need not be what was caused.
_SOUND: Final = 3
_WEAK: Final = {
    "better": words.Verdict(N_("For the better, by weak evidence"), "part"),
    "worse": words.Verdict(N_("For the worse, by weak evidence"), "part"),
}


class MovedCard(msgspec.Struct):
    """A card about an indicator, in words; `answers` are what was asked and what came out, with
    the level of evidence where it is not the card's; `is_weak` where that level shows no cause."""

    title: str
    url: str
    city: str
    size: str
    verdict: words.Verdict
    status: str
    direction: words.Verdict
    reason: str
    level: str
    answers: list[tuple[str, str, str]]
    alike: str = ""
    beside: list[Beside] = []
    beside_city: str = ""
    is_weak: bool = False


async def moved_cards(page: Page, indicator: Definition, most: int) -> tuple[list[MovedCard], int]:
    """The first cards with an answer about an indicator that are not the city's own, and how many
    more there are with or without one."""
    like = await asyncio.to_thread(asking, page)
    engine: Any = page.site.engine
    found = await asyncio.to_thread(movers, engine.cards, indicator, page.viewer, like)
    own = page.tenant.name if page.tenant else ""
    found = [one for one in found if not own or one.seen.owner != own]
    first = [one for one in found if one.direction != "unmeasured"][:most]
    return [card_of(page, one) for one in first], len(found) - len(first)


def asked(page: Page) -> Like:
    """The city that the address says: `like` (a tenant), `population`. InvalidRequest. Reads files."""
    told = {name: page.param(name).strip() for name in ("like", "population")}
    return read_like(told, page.site.engine, page.tenants.__contains__)


def asking(page: Page) -> Like:
    """The city that asks: the one that the address says, or the page's. Errors as `asked`."""
    engine: Any = page.site.engine
    own, given = page.tenant, page.param("like")
    if own is None or (given and given != own.name):
        return asked(page)
    told = {"population": page.param("population").strip(), "like": own.name}
    return read_like(told, engine, page.tenants.__contains__)


def card_of(page: Page, one: Mover) -> MovedCard:
    """A card in the page's language."""
    card, t = one.seen.card, page.t
    return MovedCard(
        title=said(_text(card.title), page.language),
        url=f"{page.base or page.root}/practices/{one.seen.id}",
        city=words.city_of(t, card),
        size=_size(t, one),
        verdict=words.VERDICTS[card.verdict.outcome],
        status=t(words.STATUSES[card.status]),
        direction=(_WEAK if one.level < _SOUND else _DIRECTIONS).get(
            one.direction, _DIRECTIONS[one.direction]
        ),
        is_weak=one.level < _SOUND and one.direction in {*_WEAK, "changed"},
        reason=one.reason.text(page.language),
        level=_level(t, one.level),
        answers=[_answer(page, one, each) for each in one.answers],
        alike=alike_words(page, one.alike),
        beside=alike_beside(page, one.alike),
        beside_city=city_name(page, card),
    )


def _answer(page: Page, card: Mover, one: Moved) -> tuple[str, str, str]:
    sentences = one.result.document.get("sentences") or {}
    title = said(_text(one.question.title), page.language)
    sentence = sentences.get(page.language) or sentences.get("en") or ""
    return title, sentence, "" if one.level == card.level else _level(page.t, one.level)


def _level(t: Translator, level: int) -> str:
    return t("evidence level %(level)s of 5", level=level) if level else ""


def _size(t: Translator, one: Mover) -> str:
    """How many people live there, and how that compares."""
    city = one.seen.card.city
    if city is None or city.population is None:
        return ""
    people = t("inhabitants: %(people)s", people=t.number(city.population, 0))
    if one.times is None:
        return people
    if one.similar:
        like = t("of a size like yours")
    elif one.times > 1:
        like = t("%(times)s times larger than yours", times=_times(t, one.times))
    else:
        like = t("%(times)s times smaller than yours", times=_times(t, 1 / one.times))
    return f"{people}, {like}"


def _times(t: Translator, times: float) -> str:
    return t.number(times, 0 if times >= 10 else 1)


def _text(text: Any) -> dict[str, str]:
    found: dict[str, str] = text
    return found
