"""Indicators in words: themes, units, how sure a value is, and whether it became better or worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from rynek.base.clock import MICRO
from rynek.indicators import Definition, Period, Value
from rynek.web.i18n import Translator
from rynek.web.indicator_names import theme_name
from rynek.web.pages.labels import attribute, type_name

__all__ = [
    "NAMED",
    "N_",
    "Change",
    "amount",
    "apart",
    "change",
    "computed_from",
    "coverage",
    "direction",
    "figure",
    "goodness",
    "interval",
    "missing",
    "observed",
    "period_name",
    "source_name",
    "theme_name",
    "unit_name",
    "way",
]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


_UNITS: Final = {
    "1 = yes": N_("1 = yes"),
    "% a year": N_("% a year"),
    "UAH per inhabitant": N_("UAH per inhabitant"),
    "W per light": N_("W per light"),
    "bikes per 100,000 inhabitants": N_("bikes per 100,000 inhabitants"),
    "kWh per cabinet and day": N_("kWh per cabinet and day"),
    "kWh per meter and day": N_("kWh per meter and day"),
    "km/h": N_("km/h"),
    "per counter and hour": N_("per counter and hour"),
    "per station and day": N_("per station and day"),
    "per station and week": N_("per station and week"),
    "s": N_("s"),
    "standard deviations of the mean": N_("standard deviations of the mean"),
    "stations per 1,000 inhabitants": N_("stations per 1,000 inhabitants"),
    "stations per km²": N_("stations per km²"),
    "tools of 4": N_("tools of 4"),
    "bikes per station": N_("bikes per station"),
    "days per station": N_("days per station"),
    "hours per station": N_("hours per station"),
    "inhabitants": N_("inhabitants"),
    "inhabitants per km²": N_("inhabitants per km²"),
    "min": N_("min"),
    "per bin and week": N_("per bin and week"),
}
NAMED: Final = {
    "PT1H": N_("the last hour"),
    "PT24H": N_("the last 24 hours"),
    "P1D": N_("the last 24 hours"),
    "P7D": N_("the last 7 days"),
    "P30D": N_("the last 30 days"),
    "P365D": N_("the last 365 days"),
    "today": N_("today so far"),
}
_DIRECTIONS: Final = {
    "more": N_("more is better"),
    "less": N_("less is better"),
    "none": N_("neither more nor less is better in itself"),
}
_SAME_SHARE: Final = 0.02
_SAME_POINTS: Final = 0.5
_HUNDRED: Final = 100.0


def unit_name(t: Translator, unit: str) -> str:
    """A unit as readers know it."""
    return t(_UNITS[unit]) if unit in _UNITS else unit


def amount(t: Translator, value: float) -> str:
    """A number with three digits that count, or all before the point."""
    size = abs(value)
    digits = 0 if size >= _HUNDRED or value == int(value) else 1 if size >= 10 else 2
    if 0 < size < 0.1:
        digits = min(6, 2 - math.floor(math.log10(size)))
    return t.number(round(value, digits) + 0.0, digits)


def figure(t: Translator, value: float, unit: str) -> str:
    """A number with its unit."""
    # Before % as the language's other percentages have it: "50%", "50 %".
    gap = t.percent(0.5)[2:-1] if unit.startswith("%") else " "
    if unit in {"", "1"}:
        return amount(t, value)
    return f"{amount(t, value)}{gap}{unit_name(t, unit)}"


def interval(t: Translator, value: Value) -> str:
    """The 95 % interval; nothing where there is none."""
    if value.interval is None:
        return ""
    low, high = (amount(t, one) for one in value.interval)
    return t("%(low)s to %(high)s", low=low, high=high)


def coverage(t: Translator, value: Value) -> str:
    """How much of the time was observed; never rounded up to the whole."""
    share = value.coverage
    return t.percent(min(share, 0.99) if share < 1 else 1.0)


def observed(t: Translator, value: Value) -> str:
    """How much was observed: of the time, or of those who were asked; where it is from, of what was
    imported."""
    if value.definition.source == "imported":
        return t("from a reference table")
    if value.definition.source == "asked":
        return t("answered: %(share)s of those asked", share=coverage(t, value))
    return t("observed: %(share)s of the time", share=coverage(t, value))


def missing(t: Translator, value: Value) -> str:
    """Why there is no number, as a sentence; nothing where there is one."""
    if value.status == "ok" or value.why is None:
        return ""
    told = value.why.text(t.language)
    return f"{told[:1].upper()}{told[1:]}."


def direction(t: Translator, one: Definition) -> str:
    """Which way is better."""
    if one.target is not None:
        return t("%(value)s is aimed at", value=figure(t, one.target, one.unit))
    return t(_DIRECTIONS[one.direction])


def way(one: Definition) -> int:
    """1 where more is better, -1 where less is, 0 where a value is aimed at or neither is better."""
    return {"more": 1, "less": -1}.get(one.direction, 0)


class Change(NamedTuple):
    """How a value stands to an earlier one: `kind` is better, worse or same, or more or less where
    neither is better; the words say it."""

    kind: str
    words: str


def goodness(one: Definition, value: float) -> float:
    """A number that is larger where a value is better; the same for all where neither is."""
    if one.target is not None:
        return -abs(value - one.target)
    return way(one) * value


def change(t: Translator, now: Value, before: Value) -> Change | None:
    """What became of a value since an earlier period; None where one of them has no number.

    It is about the same where the difference is within what both intervals leave open, or below
    half a percentage point, or two per cent of the value.
    """
    if now.value is None or before.value is None:
        return None
    was = figure(t, before.value, now.definition.unit)
    gap = now.value - before.value
    if abs(gap) <= _noise(now, before):
        return Change("same", t("about the same as before (%(value)s)", value=was))
    if now.definition.direction == "none":
        if gap > 0:
            return Change("more", t("more than before (%(value)s)", value=was))
        return Change("less", t("less than before (%(value)s)", value=was))
    better = goodness(now.definition, now.value) > goodness(now.definition, before.value)
    if better:
        return Change("better", t("better than before (%(value)s)", value=was))
    return Change("worse", t("worse than before (%(value)s)", value=was))


def _noise(now: Value, before: Value) -> float:
    """The difference below which two values are not told apart."""
    assert now.value is not None
    assert before.value is not None
    halves = [
        (one.interval[1] - one.interval[0]) / 2 for one in (now, before) if one.interval is not None
    ]
    small = max(abs(now.value), abs(before.value)) * _SAME_SHARE
    if now.definition.unit == "%":
        small = _SAME_POINTS
    return max(math.hypot(*halves), small)


def apart(one: Value, other: Value) -> bool:
    """Whether two values can be told apart (see `change`)."""
    if one.value is None or other.value is None:
        return False
    return abs(one.value - other.value) > _noise(one, other)


def period_name(t: Translator, period: Period) -> str:
    """A period as people say it: "the last 7 days", "November 2022", "5 to 7 November 2022"."""
    if period.label in NAMED:
        return t(NAMED[period.label])
    zone, last = period.zone, max(period.end - 1, period.start)
    if period.kind == "year":
        return period.label
    if period.kind == "day":
        return t.date(period.start, zone, "medium")
    if period.kind == "hour" or period.end - period.start <= 3 * 3600 * MICRO:
        return f"{t.date(period.start, zone, 'medium')}, {t.time(period.start, zone)}"
    if period.kind == "week":
        number = period.label.partition("-W")[2].lstrip("0")
        first = t.date(period.start, zone, "medium")
        return t("week %(number)s (from %(day)s)", number=number, day=first)
    return t(
        "%(first)s to %(last)s",
        first=t.date(period.start, zone, "medium"),
        last=t.date(last, zone, "medium"),
    )


def computed_from(t: Translator, one: Definition) -> str:
    """Whose readings an indicator is made of: "Bike station: bikes available"."""
    if one.computation is None:
        return ""
    kind = type_name(t, one.computation.type)
    name = one.computation.attribute
    return f"{kind}: {attribute(t, name)}" if name else kind


def source_name(t: Translator, about: Mapping[str, Any]) -> str:
    """The licence and period of a reference table."""
    parts = [str(about.get("licence") or t("not stated")), str(about.get("period") or "")]
    return ", ".join(part for part in parts if part)
