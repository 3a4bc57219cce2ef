"""`/practices/effects`: every estimate of one kind of practice, with what they say together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from markupsafe import Markup, escape
from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import ResourceNotFound
from rynek.indicators import find_definition
from rynek.practices import Together, log_ratio, share_of_logs, together
from rynek.practices.cards import Seen, Wanted
from rynek.web.pages import practice_words as words
from rynek.web.pages.plot import ticks
from rynek.web.pages.practice import said_text
from rynek.web.pages.shell import Page, Site

__all__ = ["Row", "axis", "bar", "routes", "together_bar"]

_MOST: Final = 200
_TALL: Final = 26


class Row(NamedTuple):
    """One estimate in per cent: where it lies, its interval (None where there is none), what it
    measures, the card it stands on and the place that is of; `ratio` and `error` are the logarithm of
    what was seen to what would have been and its standard error, None where they cannot be said."""

    name: str
    card: str
    url: str
    effect: float
    interval: tuple[float, float] | None
    level: int
    theme: str
    ratio: float | None = None
    error: float | None = None
    measure: str = ""
    place: str = ""
    design: str = ""
    verdict: str = ""


async def show(page: Page) -> Response:
    """The forest plot of a theme, and the table beside it."""
    theme = page.param("theme")[:60]
    cards = page.site.engine.cards  # type: ignore[attr-defined]
    counts = await asyncio.to_thread(cards.counts, page.viewer)
    found, total = await asyncio.to_thread(
        cards.listed, page.viewer, Wanted(theme=theme), offset=0, limit=_MOST
    )
    rows = [row for seen in found for row in await asyncio.to_thread(_rows, page, seen)]
    summaries = _summaries(rows) if theme else {}
    marks = _marks(rows, summaries.values())
    return page.render(
        "practice_effects.html",
        nav="practices",
        chosen_theme=theme,
        themes=sorted(
            ((one, words.theme_word(page.t, one)) for one in counts["theme"]),
            key=lambda one: one[1].casefold(),
        ),
        cards=_by_card(page, rows, marks),
        axis=axis(marks, page.t.number),
        summaries=[
            _together(page, one, measure) | {"bar": together_bar(one, marks)}
            for measure, one in summaries.items()
        ],
        more=total > _MOST,
        most=page.t.number(_MOST, 0),
    )


def _rows(page: Page, seen: Seen) -> list[Row]:
    """The estimates of a card in the order of its questions. Reads files."""
    engine: Any = page.site.engine
    answers, card = engine.cards.answered(seen), seen.card
    city = card.city
    url = f"{page.base or page.root}/practices/{seen.id}"
    # Two cards of one city are no two places; of a city without its name one knows no more.
    place = (
        f"{city.country} {city.name.get('en') or min(city.name.values())}"
        if city and city.name
        else url
    )
    rows = []
    for question in card.questions:
        answer = answers.get(question.key)
        found = {} if answer is None else answer.document
        effect = found.get("effect_percent")
        if effect is None or not math.isfinite(effect):
            continue
        ratio, error = log_ratio(found) or (None, None)
        unit = found.get("outcome_unit") or ""
        rows.append(
            Row(
                name=said_text(page, question.title),
                card=said_text(page, card.title),
                url=url,
                effect=effect,
                interval=_interval(found),
                level=int(found.get("level") or 0),
                theme=card.theme,
                ratio=ratio,
                error=error,
                measure=(question.indicators or [f"{found.get('outcome') or ''} {unit}".strip()])[
                    0
                ],
                place=place,
                design=str(found.get("design") or ""),
                verdict=card.verdict.outcome,
            )
        )
    return rows


def _interval(found: Mapping[str, Any]) -> tuple[float, float] | None:
    """The interval in per cent: each end as a share of what would have been if that were the effect;
    of the mean expected where that cannot be said of an end."""
    ends, effect, percent = found.get("interval"), found["effect"], found["effect_percent"]
    if ends is None:
        return None
    shares = found.get("interval_percent") or (None, None)
    if found.get("transform") == "log":
        shares = [100 * share_of_logs(one) for one in ends]
    elif None in shares:
        shares = [percent / effect * one if effect else 0.0 for one in ends]
    return min(shares), max(shares)


def _summaries(rows: Sequence[Row]) -> dict[str, Together]:
    """By what is measured: of each place the estimate on the highest level of evidence, of several
    the first that its card names, never one by its result. Nothing of fewer than two places."""
    chosen: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.ratio is None or not row.error or row.interval is None:
            continue
        of = chosen.setdefault(row.measure, {})
        if row.place not in of or row.level > of[row.place].level:
            of[row.place] = row
    return {
        measure: together([one.ratio or 0.0 for one in of], [one.error or 0.0 for one in of])
        for measure, of in ((name, list(some.values())) for name, some in sorted(chosen.items()))
        if len(of) > 1
    }


def _by_card(page: Page, rows: Sequence[Row], marks: Sequence[float]) -> list[dict[str, Any]]:
    """Each card with its estimates, in order."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        verdict = words.VERDICTS.get(row.verdict)
        of: dict[str, Any] = {"title": row.card, "url": row.url, "verdict": verdict, "rows": []}
        card = found.setdefault(row.url, of)
        card["rows"].append(_told(page, row) | {"bar": bar(row, marks)})
    return list(found.values())


def _told(page: Page, row: Row) -> dict[str, str]:
    def number(value: float) -> str:
        return ("−" if value < 0 else "+") + page.t.number(abs(value), 1)

    ends = "" if row.interval is None else " … ".join(map(number, row.interval))
    return {
        "name": row.name,
        "design": page.t(words.DESIGNS[row.design]) if row.design in words.DESIGNS else row.design,
        "effect": number(row.effect),
        "interval": ends or page.t("none"),
        "level": str(row.level),
    }


def _together(page: Page, found: Together, measure: str) -> dict[str, Any]:
    t = page.t

    def signed(ratio: float) -> str:
        value = 100 * share_of_logs(ratio)
        return ("−" if value < 0 else "+") + t.number(abs(value), 1)

    def span(ends: tuple[float, float]) -> str:
        return " … ".join(map(signed, ends))

    return {
        "measure": _called(measure, t.language),
        "places": t.number(len(found.weights), 0),
        "mean": signed(found.mean),
        "interval": span(found.interval),
        "tau": t.number(found.tau, 3),
        "i2": t.percent(found.i2),
        "prediction": t("none") if found.prediction is None else f"{span(found.prediction)} %",
    }


def _called(measure: str, language: str) -> str:
    """An indicator by its name; what is none as it is called."""
    try:
        name: str = find_definition(measure).name[language]
    except ResourceNotFound:
        return measure
    return name


def _marks(rows: Sequence[Row], summaries: Iterable[Together]) -> list[float]:
    """The numbers on the axis that all lines share; zero is one. The interval of a few places
    together may reach so far that nothing else could be seen: it ends at the edge then."""
    values = [one for row in rows for one in (row.interval or (row.effect, row.effect))]
    if not values:
        return [0.0, 1.0]
    least, most = min(0.0, *values), max(0.0, *values)
    ends = [100 * share_of_logs(end) for one in summaries for end in one.interval]
    low = max(min([least, *ends]), 2 * least - most)
    return ticks(low, min(max([most, *ends]), 2 * most - least))


def _at(value: float, marks: Sequence[float]) -> str:
    """Where a number lies on the axis: "37.5%", with a margin for what is written at its ends."""
    return f"{6 + 88 * (value - marks[0]) / (marks[-1] - marks[0]):.2f}%"


def _drawn(marks: Sequence[float], parts: str) -> Markup:
    lines = "".join(
        f'<line class="{"grid" if mark else "axis"}" x1="{_at(mark, marks)}" '
        f'x2="{_at(mark, marks)}" y1="0" y2="{_TALL}"/>'
        for mark in marks
    )
    return Markup(  # noqa: S704 - numbers
        f'<svg class="forest" width="100%" height="{_TALL}" aria-hidden="true">{lines}{parts}</svg>'
    )


def bar(row: Row, marks: Sequence[float]) -> Markup:
    """An estimate as a point on the axis, with a line from end to end of its interval; a hollow
    point without one. The numbers stand beside it."""
    middle, parts = _TALL // 2, ""
    if row.interval:
        low, high = (_at(one, marks) for one in row.interval)
        parts = f'<line class="interval" x1="{low}" x2="{high}" y1="{middle}" y2="{middle}"/>'
    kind = "point" if row.interval else "point alone"
    parts += f'<circle class="{kind}" cx="{_at(row.effect, marks)}" cy="{middle}" r="5"/>'
    return _drawn(marks, parts)


def together_bar(found: Together, marks: Sequence[float]) -> Markup:
    """All estimates together: a band from end to end of the interval, a point at the mean, of ratios
    in per cent."""
    low, mean, high = (
        min(max(100 * share_of_logs(one), marks[0]), marks[-1])
        for one in (found.interval[0], found.mean, found.interval[1])
    )
    wide = f"{88 * (high - low) / (marks[-1] - marks[0]):.2f}%"
    middle = _TALL // 2
    return _drawn(
        marks,
        f'<rect class="together" x="{_at(low, marks)}" width="{wide}" y="{middle - 5}" height="10" '
        f'rx="5"/><circle class="point" cx="{_at(mean, marks)}" cy="{middle}" r="4"/>',
    )


def axis(marks: Sequence[float], number: Callable[[float], str]) -> Markup:
    """The numbers of the axis, at most five of them."""
    step = max(1, math.ceil(len(marks) / 5))
    zero = marks.index(0.0) if 0.0 in marks else 0
    texts = "".join(
        f'<text x="{_at(mark, marks)}" y="13" text-anchor="middle">'
        f"{escape(number(mark).replace('-', '−'))}</text>"
        for place, mark in enumerate(marks)
        if (place - zero) % step == 0
    )
    return Markup(  # noqa: S704 - numbers that were escaped
        f'<svg class="forest" width="100%" height="18" aria-hidden="true">{texts}</svg>'
    )


def routes(site: Site) -> Sequence[Route]:
    """`…/practices/effects`."""
    return site.shared("/practices/effects", show)
