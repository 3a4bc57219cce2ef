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
from rynek.practices import Together, together
from rynek.practices.cards import Wanted
from rynek.web.contract import said
from rynek.web.pages import practice_words as words
from rynek.web.pages.plot import ticks
from rynek.web.pages.shell import Page, Site

__all__ = ["forest", "routes"]

_MOST: Final = 200
_WIDTH, _ROW, _LEFT = 760, 30, 300


class Row(NamedTuple):
    """One estimate in per cent: where it lies, its error and interval (None where there is none),
    and the card it stands on."""

    name: str
    url: str
    effect: float
    error: float | None
    interval: tuple[float, float] | None
    level: int
    theme: str


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
            row = _row(f"{title} ({card})", url, answer.document, seen.card.theme)
            if row is not None:
                rows.append(row)
    themes = sorted({row.theme for row in rows})
    shown = [row for row in rows if not theme or row.theme == theme]
    summary = _summary(shown) if theme else None
    return page.render(
        "practice_effects.html",
        nav="practices",
        theme=theme,
        themes=[(one, words.theme_word(page.t, one)) for one in themes],
        rows=[_told(page, row) for row in shown],
        chart=forest(shown, summary, page.t("Effects in per cent"), page.t.number),
        summary=None if summary is None else _together(page, summary),
    )


def _row(name: str, url: str, found: dict[str, Any], theme: str) -> Row | None:
    """In per cent of what would have been; None where that cannot be said."""
    percent, effect = found.get("effect_percent"), found.get("effect")
    if percent is None or not effect or not math.isfinite(percent):
        return None
    interval, error = found.get("interval"), found.get("standard_error")
    if found.get("transform") == "log":
        ends = None if interval is None else tuple(100 * math.expm1(one) for one in interval)
        spread = None if error is None else 100 * error
    else:
        scale = percent / effect
        ends = None if interval is None else tuple(scale * one for one in interval)
        spread = None if error is None else abs(scale) * error
    pair = None if ends is None else (min(ends), max(ends))
    return Row(name, url, percent, spread, pair, int(found.get("level") or 0), theme)


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


def _told(page: Page, row: Row) -> dict[str, str]:
    def number(value: float) -> str:
        return ("−" if value < 0 else "+") + page.t.number(abs(value), 1)

    ends = "" if row.interval is None else " … ".join(map(number, row.interval))
    return {
        "name": row.name,
        "url": row.url,
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


def forest(
    rows: Sequence[Row], summary: Together | None, title: str, number: Callable[[float], str]
) -> Markup:
    """A line for each estimate from end to end of its interval, a diamond for all together. Empty
    without rows."""
    if not rows:
        return Markup()
    values = [one for row in rows for one in (row.interval or (row.effect, row.effect))]
    values += list(summary.interval) if summary else []
    marks = ticks(min(0.0, *values), max(0.0, *values))
    right, height = _WIDTH - 20, (len(rows) + bool(summary)) * _ROW + 40
    tall = height - 30

    def at(value: float) -> float:
        return _LEFT + (right - _LEFT) * (value - marks[0]) / ((marks[-1] - marks[0]) or 1.0)

    parts = [
        f'<line class="grid" x1="{at(mark):.1f}" x2="{at(mark):.1f}" y1="8" y2="{tall}"/>'
        f'<text x="{at(mark):.1f}" y="{tall + 18}" text-anchor="middle">{escape(number(mark))} %</text>'
        for mark in marks
    ]
    parts.append(f'<line class="axis" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="8" y2="{tall}"/>')
    for place, row in enumerate(rows):
        y = 8 + place * _ROW + _ROW / 2
        name = row.name if len(row.name) <= 44 else row.name[:43] + "…"
        parts.append(f'<text x="0" y="{y + 4:.1f}">{escape(name)}</text>')
        if row.interval:
            low, high = map(at, row.interval)
            parts.append(
                f'<line class="interval" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
            )
        kind = "point" if row.interval else "point alone"
        parts.append(f'<circle class="{kind}" cx="{at(row.effect):.1f}" cy="{y}" r="5"/>')
    if summary:
        y = 8 + len(rows) * _ROW + _ROW / 2
        low, high = map(at, summary.interval)
        middle = at(summary.mean)
        parts.append(
            f'<path class="together" d="M{low:.1f} {y}L{middle:.1f} {y - 8}L{high:.1f} {y}'
            f'L{middle:.1f} {y + 8}Z"/>'
        )
    return Markup(  # noqa: S704 - numbers, and text that was escaped
        f'<svg class="spark forest" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def routes(site: Site) -> Sequence[Route]:
    """`…/practices/effects`."""
    return site.city("/practices/effects", show)
