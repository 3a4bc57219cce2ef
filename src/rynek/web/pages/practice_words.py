"""Words for practice cards: clusters, verdicts, statuses, themes, and costs as people write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from babel.numbers import format_currency

from rynek.base.messages import Message
from rynek.practices.cards import Card, Compared, Cost
from rynek.web.contract import said
from rynek.web.i18n import Translator
from rynek.web.pages.labels import humanised

__all__ = [
    "BARRIERS",
    "CHECKS",
    "CLUSTERS",
    "DESIGNS",
    "DOORS",
    "STATUSES",
    "VERDICTS",
    "Verdict",
    "city_of",
    "cost_lines",
    "costs_note",
    "date_of",
    "theme_word",
]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


class Verdict(msgspec.Struct, frozen=True):
    """A verdict in words, with the shape that stands beside it."""

    word: str
    icon: str


VERDICTS: Final = {
    "worked": Verdict(N_("Worked"), "ok"),
    "partly": Verdict(N_("Worked in part"), "part"),
    "did_not": Verdict(N_("Did not work"), "bad"),
    "unknown": Verdict(N_("Not known"), "question"),
}
STATUSES: Final = {
    "planned": N_("planned"),
    "pilot": N_("pilot"),
    "running": N_("in service"),
    "scaled": N_("extended"),
    "stopped": N_("ended"),
}
CLUSTERS: Final = {
    "mobility": N_("Mobility"),
    "districts_and_buildings": N_("Districts and buildings"),
    "integrated_infrastructure": N_("Integrated infrastructure"),
    "citizens": N_("Citizens"),
    "planning_and_regulation": N_("Planning and regulation"),
    "business_models_and_finance": N_("Business models and finance"),
}
BARRIERS: Final = {
    "technical": N_("Technical"),
    "social": N_("Social"),
    "financial": N_("Financial"),
    "competence": N_("Competence"),
    "regulatory": N_("Regulatory"),
    "governance": N_("Governance"),
}
DOORS: Final = {
    "public": N_("everybody"),
    "members": N_("whoever has a token"),
    "owner": N_("who may write for the city"),
}
THEMES: Final = {
    "air": N_("Air"),
    "buildings": N_("Buildings"),
    "cycling": N_("Cycling"),
    "energy": N_("Energy"),
    "lighting": N_("Lighting"),
    "parking": N_("Parking"),
    "participation": N_("Participation"),
    "transport": N_("Transport"),
    "waste": N_("Waste"),
    "water": N_("Water"),
}
CHECKS: Final = {
    "passed": N_("passed"),
    "failed": N_("failed"),
    "not applicable": N_("not applicable"),
}
DESIGNS: Final = {
    "its": N_("interrupted time series"),
    "did": N_("difference in differences"),
    "event_study": N_("event study"),
    "synthetic_control": N_("synthetic control"),
    "augmented_synthetic_control": N_("augmented synthetic control"),
    "sdid": N_("synthetic difference in differences"),
    "bsts": N_("Bayesian structural time series"),
    "randomised": N_("randomised comparison"),
}


def theme_word(t: Translator, theme: str) -> str:
    """A theme in words; one that nobody translated as its own word."""
    return t(THEMES[theme]) if theme in THEMES else humanised(theme)


def city_of(t: Translator, card: Card) -> str:
    """Whose practice it is: "Grenoble, France", or what may be said of a city without a name."""
    city = card.city
    if city is None:
        return t("A city that is not named")
    country = t.country(city.country)
    if city.name:
        return f"{said(_plain(city.name), t.language)}, {country}"
    if city.population is None:
        return t("A city in %(country)s", country=country)
    people = t.number(city.population, 0)
    return t("A city of about %(people)s people in %(country)s", people=people, country=country)


def _plain(text: Any) -> dict[str, str]:
    return {str(key): value for key, value in text.items()}


def date_of(t: Translator, text: str) -> str:
    """A date of a card (a year, a month or a day) as people write it."""
    from datetime import date

    from babel.dates import format_date, format_skeleton

    if len(text) == 10:
        return format_date(date.fromisoformat(text), "medium", locale=t.locale)
    if len(text) == 7:
        return format_skeleton("yMMMM", date.fromisoformat(text + "-01"), locale=t.locale)
    return text


def cost_lines(
    t: Translator, card: Card, compared: Sequence[Compared | Message] | None = None
) -> list[dict[str, Any]]:
    """Costs in words: what for, how much with its currency, per what, prices of which year; and
    what that is at the EU's price level, or why that cannot be said (nothing without tables)."""
    told: Sequence[Compared | Message | None] = compared or [None] * len(card.costs)
    return [
        {
            "what": said(_plain(each.what), t.language),
            "amount": _money(t, each),
            "per": _per(t, each),
            "year": str(each.year),
            "source": each.source,
            "compared": _compared(t, alike) if isinstance(alike, Compared) else "",
            "why_not": alike.text(t.language) if isinstance(alike, Message) else "",
        }
        for each, alike in zip(card.costs, told, strict=True)
    ]


def costs_note(t: Translator, compared: Sequence[Compared | Message] | None) -> str:
    """What the costs of a card can be compared with."""
    if compared is None:
        return t(
            "Not comparable between countries and years: amounts are as they were paid. No tables of"
            " price levels were imported here, and exchange rates would mislead."
        )
    year = next((str(one.year) for one in compared if isinstance(one, Compared)), "")
    if not year:
        return t("Not comparable between countries and years: amounts are as they were paid.")
    return t(
        "Compared: in prices of %(year)s by the country’s consumer prices, then by its purchasing"
        " power parity: euros at the price level of the EU (Eurostat: prc_hicp_aind, prc_ppp_ind).",
        year=year,
    )


def _compared(t: Translator, cost: Compared) -> str:
    low = _rounded(t, cost.amount)
    return f"≈ {low}" if cost.up_to is None else f"≈ {low} – {_rounded(t, cost.up_to)}"


def _rounded(t: Translator, value: float) -> str:
    """To three figures: no more is known of price levels."""
    digits = 0 if not value else 2 - math.floor(math.log10(abs(value)))
    return _amount(t, round(value, digits), "EUR")


def _money(t: Translator, cost: Cost) -> str:
    low = _amount(t, cost.amount, cost.currency)
    return low if cost.up_to is None else f"{low} – {_amount(t, cost.up_to, cost.currency)}"


def _amount(t: Translator, value: float, currency: str) -> str:
    whole = float(value).is_integer()
    pattern = "#,##0 ¤¤" if whole else "#,##0.00 ¤¤"
    return format_currency(value, currency, pattern, locale=t.locale, currency_digits=False)


def _per(t: Translator, cost: Cost) -> str:
    unit = said(_plain(cost.unit), t.language) if cost.unit else ""
    period = {"month": t("a month"), "year": t("a year")}.get(cost.period, "")
    if unit and period:
        return f"1 {unit}, {period}"
    return f"1 {unit}" if unit else period or t("once")
