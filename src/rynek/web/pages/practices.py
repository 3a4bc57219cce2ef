"""`/practices`: what cities did, failures as worthy as successes; filtered, paged."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import BadRequestData, InvalidRequest
from rynek.practices.cards import Card, Result, Seen, Wanted, refuse_unknown
from rynek.practices.search import MAX_LIMIT, Like, cards_like
from rynek.web.contract import said
from rynek.web.pages import practice_words as words
from rynek.web.pages.practice import show as show_card
from rynek.web.pages.practices_search import choices, searched
from rynek.web.pages.shell import Page, Site
from rynek.web.practices.likes import (
    Beside,
    alike_beside,
    alike_words,
    city_name,
    like_choices,
    near_cities,
    unlike_why,
)
from rynek.web.practices.moved import show_moved
from rynek.web.practices.movers import asked

__all__ = ["routes"]

PAGE_SIZE: Final = 24
_FILTERS: Final = ("theme", "cluster", "verdict", "status")
_SUMMARY: Final = 320


class Listed(msgspec.Struct):
    """One card of the catalogue, in words."""

    id: str
    title: str
    url: str
    theme: str
    city: str
    status: str
    verdict: words.Verdict
    summary: str
    accounts: int
    estimates: int
    level: str
    alike: str
    beside: list[Beside]
    beside_city: str


async def show(page: Page) -> Response:
    """The catalogue, or what of it is about an indicator."""
    if page.param("indicator"):
        return await show_moved(page)
    wanted = Wanted(**{name: page.param(name)[:60] for name in _FILTERS})
    text = page.param("page", "1")
    number = max(1, int(text)) if text.isdecimal() and len(text) < 6 else 1
    cards = page.site.engine.cards  # type: ignore[attr-defined]
    try:
        await asyncio.to_thread(refuse_unknown, cards, page.viewer, wanted.theme, wanted.cluster)
        like = await asyncio.to_thread(asked, page)
        search = await searched(page, wanted, (number - 1) * PAGE_SIZE, PAGE_SIZE, like.cities)
    except (BadRequestData, InvalidRequest) as problem:
        told = problem.message.text(page.language) if problem.message else problem.detail
        return page.problem(400, told)
    if search is not None:
        found, total, counts = search.seen, search.found.total, search.found.facets
        reach = min(total, MAX_LIMIT) if like.cities else total
    else:
        counts = await asyncio.to_thread(cards.counts, page.viewer)
        found, total = await _in_order(page, wanted, (number - 1) * PAGE_SIZE, like)
        reach = total
    pages = max(1, math.ceil(reach / PAGE_SIZE))
    likes = await asyncio.to_thread(like_choices, page)
    answers = [await asyncio.to_thread(cards.answered, seen) for seen in found]
    return page.render(
        "practices.html",
        nav="practices",
        listed=[_listed(page, *pair, like) for pair in zip(found, answers, strict=True)],
        total=total,
        number=min(number, pages),
        pages=pages,
        filters=_filters(page, counts),
        chosen=search is not None or any(getattr(wanted, name) for name in _FILTERS),
        query=page.param("q").strip(),
        search=search,
        search_choices=await asyncio.to_thread(choices, page),
        costs={name: page.param(name).strip() for name in ("cost_from", "cost_to")},
        people="" if search else page.param("population").strip(),
        likes=likes,
        unlike=await asyncio.to_thread(unlike_why, page, likes),
        near=near_cities(page, like.cities),
        own=dict(likes).get(page.param("like"), ""),
        like=page.param("like"),
        writes=page.viewer.admin or bool(page.viewer.owners),
    )


async def _in_order(page: Page, wanted: Wanted, offset: int, like: Like) -> tuple[list[Seen], int]:
    """A page of the cards and how many there are: the last changed first, or where a city asks,
    those of cities like it."""
    cards = page.site.engine.cards  # type: ignore[attr-defined]
    if like == Like():
        listed: tuple[list[Seen], int] = await asyncio.to_thread(
            cards.listed, page.viewer, wanted, offset=offset, limit=PAGE_SIZE
        )
        return listed
    found = await asyncio.to_thread(cards_like, cards, wanted, page.viewer, like)
    return [seen for seen, _ in found[offset : offset + PAGE_SIZE]], len(found)


def _listed(page: Page, seen: Seen, answers: dict[str, Result], like: Like) -> Listed:
    card, t = seen.card, page.t
    summary = said(_text(card.summary), page.language)
    alike = like.alike(seen)
    levels = [int(each.document.get("level") or 0) for each in answers.values()]
    return Listed(
        id=seen.id,
        title=said(_text(card.title), page.language),
        url=f"{page.base or page.root}/practices/{seen.id}",
        theme=words.theme_word(t, card.theme),
        city=_city(page, card, like),
        status=t(words.STATUSES[card.status]),
        verdict=words.VERDICTS[card.verdict.outcome],
        summary=summary
        if len(summary) <= _SUMMARY
        else summary[:_SUMMARY].rsplit(" ", 1)[0] + " …",
        accounts=len(card.accounts),
        estimates=len(answers),
        level=t("evidence level %(level)s of 5", level=max(levels)) if levels else "",
        alike=alike_words(page, alike),
        beside=alike_beside(page, alike),
        beside_city=city_name(page, card),
    )


def _city(page: Page, card: Card, like: Like) -> str:
    """Whose practice it is; how large it is where one asks for such as are alike."""
    told, people = words.city_of(page.t, card), card.city.population if card.city else None
    if people is None or like == Like():
        return told
    return f"{told}, {page.t('inhabitants: %(people)s', people=page.t.number(people, 0))}"


def _filters(page: Page, counts: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """Each filter with its choices and how many cards there are of each."""
    t = page.t
    word: dict[str, Any] = {
        "theme": lambda key: words.theme_word(t, key),
        "cluster": lambda key: t(words.CLUSTERS[key]),
        "verdict": lambda key: t(words.VERDICTS[key].word),
        "status": lambda key: t(words.STATUSES[key]),
    }
    labels = {
        "theme": t("Theme"),
        "cluster": t("Cluster"),
        "verdict": t("Verdict"),
        "status": t("Status"),
    }
    return [
        {
            "name": name,
            "label": labels[name],
            "value": page.param(name),
            "choices": sorted(
                ((key, word[name](key), count) for key, count in counts[name].items()),
                key=lambda choice: choice[1].casefold(),
            ),
        }
        for name in _FILTERS
    ]


def _text(text: Any) -> dict[str, str]:
    found: dict[str, str] = text
    return found


def routes(site: Site) -> Sequence[Route]:
    """`…/practices` and `…/practices/<id>`."""
    return [*site.shared("/practices", show), *site.shared("/practices/{card}", show_card)]
