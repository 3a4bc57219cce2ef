"""How an indicator is computed, in words, and the readings behind a city's value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

from rynek.base.clock import to_iso
from rynek.indicators import Definition, Value
from rynek.web.i18n import Translator
from rynek.web.indicators import words
from rynek.web.indicators.gathering import Gathered, told
from rynek.web.indicators.peers import place
from rynek.web.indicators.view import Step, peers_table, spots_of
from rynek.web.indicators.words import N_
from rynek.web.pages.labels import attribute, type_name
from rynek.web.pages.plot import chart
from rynek.web.pages.shell import Page, entity_path

__all__ = ["explain", "expression"]

_SHOWN: Final = 20
_MEASURES: Final = {
    "share": N_(
        "The share of the observed time of all things in which “%(what)s” is %(condition)s."
    ),
    "mean": N_(
        "The mean of “%(what)s” over the observed time of all things: a value counts for as long as it holds."
    ),
    "age": N_(
        "How long ago a thing was last heard of, averaged over time; then the median of the things."
    ),
    "silent": N_(
        "The share of the days of all things on which nothing was heard of them from midnight to midnight."
    ),
    "falls": N_(
        "How often “%(what)s” fell by at least %(by)s from one reading to the next, for each thing and week observed."
    ),
    "before_fall": N_(
        "What “%(what)s” was before it fell by at least %(by)s, averaged over such falls."
    ),
    "exceedances": N_(
        "How many days or hours a thing’s mean of “%(what)s” was %(condition)s, averaged over the things. Only days or hours of which three quarters were observed count."
    ),
}
_CONDITIONS: Final = {
    "at_most": N_("at most %(value)s"),
    "at_least": N_("at least %(value)s"),
    "above": N_("above %(value)s"),
    "equals": N_("“%(value)s”"),
}


def expression(t: Translator, one: Definition) -> str:
    """What is computed, as a sentence; the description where there are no other words for it."""
    asked = one.computation
    if asked is None:
        return t("It is asked of people or imported, not computed from readings.")
    message = _MEASURES.get(asked.measure)
    if message is None:
        return one.description[t.language]
    by = "" if asked.by is None else t.number(asked.by)
    told = {"what": attribute(t, asked.attribute), "by": by, "condition": _condition(t, one)}
    return t(message, **told)


def _condition(t: Translator, one: Definition) -> str:
    condition = one.computation.condition if one.computation is not None else None
    if condition is None:
        return ""
    for name, message in _CONDITIONS.items():
        value = getattr(condition, name)
        if value is not None:
            return t(message, value=value if isinstance(value, str) else t.number(value))
    if condition.between is None:
        return ""
    low, high = (t.number(one) for one in condition.between)
    return t("%(low)s to %(high)s", low=low, high=high)


def explain(
    page: Page, one: Definition, gathered: Gathered, names: Mapping[str, str]
) -> dict[str, Any]:
    """What the page of one indicator shows."""
    t = page.t
    value = next(iter(gathered.found.values), None)
    asked = one.computation
    return {
        "one": one,
        "title": one.name[t.language],
        "about": one.description[t.language],
        "theme_words": words.theme_name(t, one.theme),
        "unit": words.unit_name(t, one.unit),
        "direction": words.direction(t, one),
        "expression": expression(t, one),
        "from_what": words.computed_from(t, one),
        "type_name": type_name(t, asked.type) if asked is not None else "",
        "least": t.percent(one.least_coverage),
        "told": _told(page, value),
        "drawn": _drawn(page, one, gathered, value),
        "steps": _steps(t, gathered.steps, one.id, value),
        "things": [] if value is None else _things(page, value),
        "peers": _peers(t, value, gathered, names),
        "pending": gathered.pending,
        "here_path": f"{page.base}/indicators/{one.id}",
    }


def _told(page: Page, value: Value | None) -> dict[str, Any]:
    """The value, how sure it is, and its origin; empty without things."""
    if value is None or not told(value):
        return {}
    t, origin = page.t, value.provenance
    zone = value.period.zone
    return {
        "value": "" if value.value is None else words.figure(t, value.value, value.definition.unit),
        "interval": words.interval(t, value),
        "missing": words.missing(t, value),
        "coverage": words.observed(t, value),
        "things": t.number(len(value.things), 0),
        "readings": t.number(value.readings, 0),
        "first": "" if value.first is None else t.minute(value.first, zone),
        "last": "" if value.last is None else t.minute(value.last, zone),
        "looked": (to_iso(origin.since), to_iso(origin.before)),
        "table": origin.table,
        "version": t.number(origin.version, 0),
        "files": t.number(origin.files, 0),
        "query": origin.query,
        "digest": origin.digest,
    }


def _things(page: Page, value: Value) -> list[dict[str, str]]:
    """The things whose values are furthest on the bad side (the largest, where none is worse), with
    what was observed of each."""
    t, about = page.t, value.definition
    known = [one for one in value.things if one.value is not None]
    known.sort(key=lambda one: (words.goodness(about, one.value or 0.0), -(one.value or 0.0)))
    rest = [one for one in value.things if one.value is None]
    return [
        {
            "id": one.id,
            "name": one.id.rsplit(":", 1)[-1],
            "url": entity_path(page.base, one.id),
            "value": "–" if one.value is None else words.figure(t, one.value, about.unit),
            "coverage": t.percent(min(one.coverage, 1.0)),
            "readings": t.number(one.readings, 0),
        }
        for one in (known + rest)[:_SHOWN]
    ]


def _steps(
    t: Translator, steps: Any, name: str, value: Value | None
) -> list[tuple[str, str, str, str]]:
    """The trend as a table: period, value, interval, coverage."""
    rows = []
    values = [(step.period, step.values.get(name)) for step in steps]
    if value is not None:
        values.append((value.period, value))
    for period, each in values:
        told = ("", "", "")
        if each is not None:
            number = words.missing(t, each)
            if each.value is not None:
                number = words.figure(t, each.value, each.definition.unit)
            told = (number, words.interval(t, each), words.coverage(t, each))
        rows.append((words.period_name(t, period), *told))
    return rows


def _drawn(page: Page, one: Definition, gathered: Gathered, value: Value | None) -> Markup:
    """The trend with axes; each value stands in the middle of its time."""
    t, zone = page.t, gathered.period.zone
    steps = list(gathered.steps)
    if value is not None:
        steps.append(Step(value.period, {one.id: value}))
    points = [
        ((step.period.start + step.period.end) / 2, found.value)
        for step in steps
        if (found := step.values.get(one.id)) is not None and found.value is not None
    ]
    if not points:
        return Markup()
    says = "; ".join(spot.says for spot in spots_of(t, gathered.steps, value))
    short = points[-1][0] - points[0][0] < 2 * 86_400_000_000

    def at(x: float) -> str:
        return t.time(int(x), zone) if short else t.date(int(x), zone, "medium")

    return chart(
        points,
        f"{one.name[t.language]}: {says}",
        x_label=at,
        y_label=lambda y: words.amount(t, y),
        height=220,
    )


def _peers(
    t: Translator, value: Value | None, gathered: Gathered, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    if value is None:
        return []
    return peers_table(t, place(value, gathered.peers), names)
