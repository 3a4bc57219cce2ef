"""What moved an indicator elsewhere: cards whose kept answers are about it, failures as well, and
cards of the same theme that nobody measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from rynek.base.errors import InvalidRequest, ResourceNotFound
from rynek.base.messages import Message
from rynek.indicators import Alike, Definition
from rynek.practices.cards import (
    EVERYBODY,
    Cards,
    Question,
    Result,
    Seen,
    Viewer,
    Wanted,
)
from rynek.practices.saying import say
from rynek.practices.search.similar import Cities, alike_document, unlike

__all__ = [
    "SIMILAR",
    "Like",
    "Moved",
    "Mover",
    "cards_like",
    "mover_document",
    "movers",
    "read_people",
]

Direction = Literal["better", "worse", "changed", "unclear", "mixed", "unmeasured"]
SIMILAR: Final = 3.0
"""A city of similar size has at most so many times, and at least that part, of the people."""
_MOST: Final = 500
_MOST_PEOPLE: Final = 999_999_999
_HIGHEST: Final = 5
# What cards call the themes that indicators have; where they are called alike nothing stands here.
_THEMES: Final = {
    "charging": ("charging", "energy"),
    "digital services": ("digital_services",),
    "mobility": ("mobility", "transport"),
    "open data": ("open_data",),
    "public transport": ("public_transport", "transport"),
}
_SAID: Final = {
    "better": say("moved-better"),
    "worse": say("moved-worse"),
    "changed": say("moved-changed"),
    "unclear": say("moved-unclear"),
    "unmeasured": say("moved-unmeasured"),
}


class Like(msgspec.Struct, frozen=True):
    """The city that asks: its people and ISO 3166-1 country, as far as they are known, and what is
    measured of it and of others."""

    population: float | None = None
    country: str = ""
    cities: Cities | None = None

    def alike(self, seen: Seen) -> Alike | None:
        """How alike a card's city is in what is measured; None where nobody asks for that."""
        return None if self.cities is None else self.cities.alike(seen)


class Moved(msgspec.Struct, frozen=True):
    """An answer about the indicator: which way its effect goes, and on which level of evidence."""

    question: Question
    result: Result
    level: int
    direction: Direction


class Mover(msgspec.Struct, frozen=True):
    """A card: what its strongest answers say together, and how like its city is.

    `times` as many people live there as in the city that asks; None where one is not known. `alike`
    says how alike both are in what is measured.
    """

    seen: Seen
    direction: Direction
    level: int
    answers: tuple[Moved, ...]
    times: float | None
    same_country: bool
    alike: Alike | None = None

    @property
    def similar(self) -> bool | None:
        """Whether the cities are of similar size; None where that is not known."""
        return None if self.times is None else 1 / SIMILAR <= self.times <= SIMILAR

    @property
    def reason(self) -> Message:
        """The direction in words."""
        if self.direction != "mixed":
            return _SAID[self.direction]
        told = [each.direction for each in _strongest(self.answers)]
        return say(
            "moved-mixed",
            better=told.count("better"),
            worse=told.count("worse"),
            unclear=told.count("unclear"),
        )


def movers(
    cards: Cards, indicator: Definition, viewer: Viewer = EVERYBODY, like: Like | None = None
) -> list[Mover]:
    """Cards that `viewer` may see and that are about an indicator.

    First those with an answer: by the level of evidence, then those whose effect can be told from
    zero and is for the better, then by how alike the city is to `like` in what is measured, then by
    its size (the ratio of people), then those of its country. After them cards that name the
    indicator or are of its theme without an answer.
    """
    like = like or Like()
    asked = list(_asked(cards, indicator.id, viewer))
    found = [_mover(seen, indicator, cards, like) for seen in asked]
    measured = [one for one in found if one is not None]
    known = {one.seen.id for one in measured}
    named = {one.id: one for one in asked if indicator.id in one.card.indicators}
    themed = {one.id: one for one in _of_theme(cards, indicator.theme, viewer)}
    measured += [
        Mover(seen, "unmeasured", 0, (), *_likeness(seen, like), like.alike(seen))
        for seen in (named | themed).values()
        if seen.id not in known
    ]
    return sorted(measured, key=_rank)


def read_people(text: str) -> float:
    """A number of people from outside; InvalidRequest names the parameter."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise InvalidRequest(say("like-people", most=_MOST_PEOPLE))
    return float(text)


def cards_like(
    cards: Cards, wanted: Wanted, viewer: Viewer, like: Like
) -> list[tuple[Seen, Alike | None]]:
    """Cards that `viewer` may see: those of cities that are most alike in what is measured first,
    then by how similar their size is, those of unknown size last; of many the newest 500."""
    found, _ = cards.listed(viewer, wanted, limit=_MOST)
    told = [(seen, like.alike(seen)) for seen in found]
    return sorted(told, key=lambda one: (unlike(one[1]), _apart(_likeness(one[0], like)[0])))


def mover_document(mover: Mover) -> dict[str, Any]:
    """What is said of a card beside it, as JSON has it."""
    return {
        "direction": mover.direction,
        "level": mover.level,
        "reason": str(mover.reason),
        "message": mover.reason.document(),
        "population_ratio": mover.times,
        "similar_size": mover.similar,
        "same_country": mover.same_country,
        "alike": alike_document(mover.alike),
        "answers": [_answer_document(each) for each in mover.answers],
    }


def _answer_document(moved: Moved) -> dict[str, Any]:
    told = moved.result.document
    names = ("outcome", "outcome_unit", "design", "effect", "effect_percent", "interval", "p_value")
    return {
        "key": moved.question.key,
        "title": dict(moved.question.title),
        "direction": moved.direction,
        "level": moved.level,
        "sentences": told.get("sentences") or {},
        **{name: told.get(name) for name in names},
    }


def _asked(cards: Cards, indicator: str, viewer: Viewer) -> Iterator[Seen]:
    """Cards that name an indicator or ask for an effect on it, as far as the viewer sees that they
    do: one that hides its city hides its questions too."""
    for card_id in cards.measured.ids(indicator, _MOST):
        try:
            yield cards.get(card_id, viewer)
        except ResourceNotFound:
            continue


def _of_theme(cards: Cards, theme: str, viewer: Viewer) -> Iterator[Seen]:
    for name in _THEMES.get(theme, (theme,)):
        yield from cards.listed(viewer, Wanted(theme=name), limit=_MOST)[0]


def _mover(seen: Seen, indicator: Definition, cards: Cards, like: Like) -> Mover | None:
    """The card where it has an answer about the indicator; None without."""
    results = cards.answered(seen)
    answers = [
        Moved(question, result, _level(result.document), _direction(indicator, result.document))
        for question in seen.card.questions
        if indicator.id in question.indicators and (result := results.get(question.key)) is not None
    ]
    if not answers:
        return None
    answers.sort(key=lambda one: -one.level)
    said = {one.direction for one in _strongest(answers)}
    direction: Direction = said.pop() if len(said) == 1 else "mixed"
    likeness = _likeness(seen, like)
    return Mover(
        seen, direction, answers[0].level, tuple(answers), *likeness, alike=like.alike(seen)
    )


def _strongest(answers: Any) -> list[Moved]:
    """Those on the highest level: all of them count, lest one be chosen by what it says."""
    best = max((one.level for one in answers), default=0)
    return [one for one in answers if one.level == best]


def _direction(indicator: Definition, document: dict[str, Any]) -> Direction:
    """Which way an effect goes: told from zero where its interval leaves zero out, as the sentence
    of the answer judges; a share of donors' ranks alone tells nothing at 5 %."""
    effect, interval = document.get("effect"), document.get("interval")
    if not isinstance(effect, int | float) or not interval or interval[0] <= 0 <= interval[1]:
        return "unclear"
    if indicator.direction in {"target", "none"}:
        return "changed"
    return "better" if (effect > 0) == (indicator.direction == "more") else "worse"


def _level(document: dict[str, Any]) -> int:
    level = document.get("level")
    return level if isinstance(level, int) and 0 < level <= _HIGHEST else 0


def _likeness(seen: Seen, like: Like) -> tuple[float | None, bool]:
    city = seen.card.city
    people = city.population if city else None
    times = people / like.population if people and like.population else None
    return times, bool(city and like.country and city.country == like.country)


def _rank(mover: Mover) -> tuple[Any, ...]:
    return (
        mover.direction == "unmeasured",
        -mover.level,
        mover.direction != "better",
        unlike(mover.alike),
        _apart(mover.times),
        not mover.same_country,
        -mover.seen.seq,
    )


def _apart(times: float | None) -> float:
    return math.inf if times is None else abs(math.log(times))
