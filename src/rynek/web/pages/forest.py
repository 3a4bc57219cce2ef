"""`/practices/effects`: every estimate of one kind of practice, with what they say together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from markupsafe import Markup, escape
from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import BadRequestData
from rynek.practices import Together, share_of_logs, together
from rynek.practices.cards import Wanted
from rynek.web.contract import said
from rynek.web.pages import practice_words as words
from rynek.web.pages.plot import ticks
from rynek.web.pages.shell import Page, Site

__all__ = ["Row", "axis", "bar", "routes", "together_bar"]

_MOST: Final = 200
_TALL: Final = 26


class Row(NamedTuple):
    """One estimate in per cent: where it lies, its error and interval (None where there is none),
    and the card it stands on."""

    name: str
    card: str
    url: str
    effect: float
    error: float | None
    interval: tuple[float, float] | None
    level: int
    theme: str
    design: str = ""
    verdict: str = ""


async def show(page: Page) -> Response:
    """The forest plot of a theme, and the table beside it."""
    theme = page.param("theme")[:60]
    cards = page.site.engine.cards  # type: ignore[attr-defined]
    found, _ = await asyncio.to_thread(cards.listed, page.viewer, Wanted(), offset=0, limit=_MOST)
    rows: list[Row] = []
    for seen in found:
        answers = await asyncio.to_thread(cards.answered, seen)
        questions = {one.key: one for one in seen.card.questions}
        for key, answer in sorted(answers.items()):
            title = said(dict(questions[key].title), page.language) if key in questions else key
            card = said(dict(seen.card.title), page.language)
            url = f"{page.base or page.root}/practices/{seen.id}"
            row = _row((title, card, url), answer.document, seen.card.theme)
            if row is not None:
                design = str(answer.document.get("design") or "")
                rows.append(row._replace(design=design, verdict=seen.card.verdict.outcome))
    themes = sorted({row.theme for row in rows})
    shown = [row for row in rows if not theme or row.theme == theme]
    summary = _summary(shown) if theme else None
    return page.render(
        "practice_effects.html",
        nav="practices",
        chosen_theme=theme,
        themes=[(one, words.theme_word(page.t, one)) for one in themes],
        cards=_by_card(page, shown, summary),
        axis=axis(_marks(shown, summary), page.t.number),
        together=together_bar(summary, _marks(shown, summary)) if summary else "",
        summary=None if summary is None else _together(page, summary),
    )


def _row(of: tuple[str, str, str], found: dict[str, Any], theme: str) -> Row | None:
    """Of an estimate's title, its card's and its address: in per cent of what would have been; None where that cannot be said."""
    percent, effect = found.get("effect_percent"), found.get("effect")
    if percent is None or not effect or not math.isfinite(percent):
        return None
    interval, error = found.get("interval"), found.get("standard_error")
    if found.get("transform") == "log":
        ends = None if interval is None else tuple(100 * share_of_logs(one) for one in interval)
        spread = None if error is None else 100 * error
    else:
        scale = percent / effect
        ends = None if interval is None else tuple(scale * one for one in interval)
        spread = None if error is None else abs(scale) * error
    pair = None if ends is None else (min(ends), max(ends))
    return Row(*of, percent, spread, pair, int(found.get("level") or 0), theme)


def _summary(rows: Sequence[Row]) -> Together | None:
    """Of the first estimate with an interval of each card: two of one place are not two places."""
    firsts: dict[str, Row] = {}
    for row in rows:
        if row.error and row.interval is not None:
            firsts.setdefault(row.url, row)
    kept = list(firsts.values())
    try:
        return together([row.effect for row in kept], [row.error or 0.0 for row in kept])
    except BadRequestData:
        return None


def _by_card(page: Page, rows: Sequence[Row], summary: Together | None) -> list[dict[str, Any]]:
    """Each card with its estimates, in order."""
    marks, found = _marks(rows, summary), dict[str, dict[str, Any]]()
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


def _together(page: Page, found: Together) -> dict[str, str]:
    t = page.t

    def span(ends: tuple[float, float]) -> str:
        return " … ".join(("−" if one < 0 else "+") + t.number(abs(one), 1) for one in ends)

    return {
        "mean": ("−" if found.mean < 0 else "+") + t.number(abs(found.mean), 1),
        "interval": span(found.interval),
        "tau": t.number(found.tau, 1),
        "i2": t.percent(found.i2),
        "prediction": t("none") if found.prediction is None else span(found.prediction),
    }


def _marks(rows: Sequence[Row], summary: Together | None) -> list[float]:
    """The numbers on the axis that all lines share; zero is one."""
    values = [one for row in rows for one in (row.interval or (row.effect, row.effect))]
    values += list(summary.interval) if summary else []
    return ticks(min(0.0, *values), max(0.0, *values)) if values else [0.0, 1.0]


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
    """All estimates together: a band from end to end of the interval, a point at the mean."""
    low, high = found.interval
    wide = f"{88 * (high - low) / (marks[-1] - marks[0]):.2f}%"
    middle = _TALL // 2
    return _drawn(
        marks,
        f'<rect class="together" x="{_at(low, marks)}" width="{wide}" y="{middle - 5}" height="10" '
        f'rx="5"/><circle class="point" cx="{_at(found.mean, marks)}" cy="{middle}" r="4"/>',
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
