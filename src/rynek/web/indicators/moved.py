"""What moved an indicator elsewhere: the page of one indicator's cards, and the few of them that
other pages show."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from starlette.responses import Response

from rynek.base.errors import Problem
from rynek.indicators import Definition, definitions
from rynek.practices.cards import Cards
from rynek.practices.search import Like, Moved, Mover, movers
from rynek.web.contract import said
from rynek.web.i18n import Translator
from rynek.web.indicators.people import people_of
from rynek.web.indicators.words import theme_name
from rynek.web.pages import practice_words as words
from rynek.web.pages.shell import Page
from rynek.web.practices.moving import find_indicator, read_like

__all__ = ["MovedCard", "moved_cards", "show_moved"]

_SHOWN: Final = 60
_LEVELS: Final = 5


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


class MovedCard(msgspec.Struct):
    """A card about an indicator, in words; `answers` are what was asked and what came out, with
    the level of evidence where it is not the card's."""

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


async def show_moved(page: Page) -> Response:
    """`/practices?indicator=`: every card about it, those with an answer first."""
    try:
        indicator = find_indicator(page.param("indicator"))
        like = await asyncio.to_thread(_like, page)
    except Problem as problem:
        return page.problem(problem.status, problem.detail)
    found = await asyncio.to_thread(movers, _cards(page), indicator, page.viewer, like)
    measured = [one for one in found if one.direction != "unmeasured"]
    others = [one for one in found if one.direction == "unmeasured"]
    t = page.t
    return page.render(
        "practices_moved.html",
        nav="practices",
        indicator=indicator,
        name=indicator.name[page.language],
        about=indicator.description[page.language],
        measured=[_card(page, one) for one in measured[:_SHOWN]],
        others=[_card(page, one) for one in others[:_SHOWN]],
        more=max(len(measured), len(others)) > _SHOWN,
        people="" if like.population is None else str(round(like.population)),
        choices=_choices(t),
        best=t.number(_LEVELS, 0),
    )


async def moved_cards(page: Page, indicator: Definition, most: int) -> tuple[list[MovedCard], int]:
    """The first cards with an answer about an indicator that are not the city's own, and how many
    more there are with or without one."""
    like = await asyncio.to_thread(_like, page)
    found = await asyncio.to_thread(movers, _cards(page), indicator, page.viewer, like)
    own = page.tenant.name if page.tenant else ""
    found = [one for one in found if not own or one.seen.owner != own]
    first = [one for one in found if one.direction != "unmeasured"][:most]
    return [_card(page, one) for one in first], len(found) - len(first)


def _cards(page: Page) -> Cards:
    engine: Any = page.site.engine
    found: Cards = engine.cards
    return found


def _like(page: Page) -> Like:
    """The city that asks: the page's, or one of as many people as the address says."""
    given = {"population": page.param("population").strip()}
    country = page.tenant.city.country if page.tenant else ""
    if given["population"]:
        return Like(read_like(given).population, country)
    engine: Any = page.site.engine
    people = people_of(engine.references, page.tenant) if page.tenant else None
    return Like(people, country)


def _card(page: Page, one: Mover) -> MovedCard:
    card, t = one.seen.card, page.t
    return MovedCard(
        title=said(_text(card.title), page.language),
        url=f"{page.base or page.root}/practices/{one.seen.id}",
        city=words.city_of(t, card),
        size=_size(t, one),
        verdict=words.VERDICTS[card.verdict.outcome],
        status=t(words.STATUSES[card.status]),
        direction=_DIRECTIONS[one.direction],
        reason=one.reason.text(page.language),
        level=_level(t, one.level),
        answers=[_answer(page, one, each) for each in one.answers],
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


def _choices(t: Translator) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every indicator by its theme."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in definitions():
        found.setdefault(theme_name(t, one.theme), []).append((one.id, one.name[t.language]))
    return sorted((theme, sorted(some, key=lambda pair: pair[1])) for theme, some in found.items())


def _text(text: Any) -> dict[str, str]:
    found: dict[str, str] = text
    return found
