"""The form of a question to history: its fields, what they offer, and errors beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from rynek.base.errors import Problem
from rynek.web.pages.offered import Choice, Offered
from rynek.web.pages.practice_words import N_
from rynek.web.pages.reasons import Reasons, Said
from rynek.web.pages.shell import Page

__all__ = ["Field", "blame", "given", "history_fields", "named", "places_field", "split"]

AGGREGATIONS: Final = {
    "mean": N_("mean"),
    "sum": N_("sum"),
    "min": N_("smallest"),
    "max": N_("largest"),
    "count": N_("number"),
}
PERIODS: Final = {
    "hour": N_("hours"),
    "day": N_("days"),
    "week": N_("weeks"),
    "month": N_("months"),
}
# What errors call a field that has another name here.
_ALIASES: Final = {"panel": "first", "fit_window": "fit_first", "effect_periods": "effect_first"}
_MAX_PICKED: Final = 200
_LONGEST_QUERY: Final = 12_000


class Field(msgspec.Struct):
    """One choice of a question: what it is called, what was chosen, from what; `groups` are
    choices under headings, `picks` places by name; `error` says what is wrong with it."""

    name: str
    label: str
    value: str
    choices: Sequence[Choice] = ()
    kind: str = "text"
    needed: bool = False
    groups: Sequence[tuple[str, Sequence[Choice]]] = ()
    picks: Sequence[Choice] = ()
    more: bool = False
    error: str = ""
    error_lang: str = ""

    @property
    def picked(self) -> list[str]:
        """The ids that are chosen."""
        return split(self.value)

    @property
    def others(self) -> str:
        """Chosen ids that are not among the places by name."""
        listed = {key for key, _ in self.picks}
        return " ".join(one for one in self.picked if one not in listed)


def split(text: str) -> list[str]:
    """Ids that stand apart by spaces or commas."""
    return [one for one in re.split(r"[\s,]+", text) if one]


def named(page: Page, words: Mapping[str, str]) -> list[Choice]:
    """Choices with their words in the page's language."""
    return [(key, page.t(word)) for key, word in words.items()]


def history_fields(page: Page, offer: Offered) -> list[Field]:
    """What every question to history chooses."""
    t = page.t
    page.longest_query = _LONGEST_QUERY  # it names places
    first, last = (one.isoformat() if one else "" for one in (offer.first, offer.last))
    attribute = page.param("attribute")
    groups = [(word, offer.attributes[key]) for key, word in offer.kinds]
    if offer.kind in offer.attributes:
        groups = [("", offer.attributes[offer.kind])]
    known = {key for _, choices in groups for key, _ in choices}
    if attribute and attribute not in known:
        groups = [*groups, ("", [(attribute, attribute)])] if groups else []
    kinds = list(offer.kinds)
    if kinds and offer.kind not in dict(kinds):
        kinds.append((offer.kind, offer.kind))
    return [
        Field("type", t("Kind of thing"), offer.kind, kinds, needed=True),
        Field("attribute", t("Attribute"), attribute, groups=groups, needed=True),
        Field("first", t("First day"), page.param("first", first), kind="date", needed=True),
        Field(
            "last",
            t("Last day, not included"),
            page.param("last", last),
            kind="date",
            needed=True,
        ),
        Field("every", t("Length of a period"), page.param("every", "day"), named(page, PERIODS)),
        Field(
            "aggregation",
            t("Readings of a period as their"),
            page.param("aggregation", "mean"),
            named(page, AGGREGATIONS),
        ),
    ]


def places_field(
    page: Page, offer: Offered, name: str, label: str, *, needed: bool = False
) -> Field:
    """A choice of places: by name where the city has few, and by ids."""
    given = page.request.query_params.getlist(name)[:_MAX_PICKED]
    ids = dict.fromkeys(one for text in given for one in split(text[:4000]))
    return Field(name, label, " ".join(ids), kind="places", needed=needed, picks=offer.places)


def given(page: Page, fields: Sequence[Field]) -> bool:
    """Whether the question was asked and whole; says at each needed field that it lacks."""
    asked = any(name not in ("lang", "theme", "type", "look") for name in page.request.query_params)
    if not asked or page.param("look"):
        return False
    lacking = [each for each in fields if each.needed and not each.value]
    for each in lacking:
        each.error = page.t("This is needed.")
    return not lacking


def blame(page: Page, fields: Sequence[Field], problem: Problem, called: Mapping[str, str]) -> Said:
    """Put an error at the field that it names; what names none is given back."""
    said = Reasons(page, called).problem(problem)
    name = problem.detail.partition(":")[0].strip()
    for each in fields:
        if each.name == _ALIASES.get(name, name):
            # At its field the name of the field need not be said again.
            each.error = said.text.removeprefix(f"{name}:").strip()
            each.error_lang = said.lang
            return Said("")
    return said
