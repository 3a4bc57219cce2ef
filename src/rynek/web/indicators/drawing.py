"""Small charts of indicators, drawn on the server: points with their intervals, gaps left open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup, escape

__all__ = ["Line", "Spot", "bars_figure", "cover_bar", "figure", "spark", "strip"]

_WIDE, _TALL = 168.0, 44.0
_PAD: Final = 6.0
_FONT: Final = "Noto Sans, DejaVu Sans, Liberation Sans, Arial, sans-serif"


class Spot(NamedTuple):
    """One step of a trend: the value (None: not enough data), its interval, and what to say of it."""

    value: float | None
    low: float | None
    high: float | None
    says: str


class Line(NamedTuple):
    """One line of the figure that stands alone."""

    theme: str
    name: str
    value: str
    note: str
    spots: Sequence[Spot]


def spark(spots: Sequence[Spot], title: str) -> Markup:
    """A trend as a small picture: a line through the values, its newest one marked, open circles on
    the ground where there is no value. Empty without any value."""
    if not any(one.value is not None for one in spots):
        return Markup()
    return Markup(  # noqa: S704 - numbers, and text that was escaped
        f'<svg class="trend" viewBox="0 0 {_WIDE:.0f} {_TALL:.0f}" role="img"'
        f' aria-label="{escape(title)}">{_parts(spots)}</svg>'
    )


def _parts(spots: Sequence[Spot]) -> str:
    low, high = _span(spots)
    step = (_WIDE - 2 * _PAD) / max(len(spots) - 1, 1)

    def x(n: int) -> float:
        return _PAD + n * step if len(spots) > 1 else _WIDE / 2

    def y(value: float) -> float:
        return _TALL - _PAD - (_TALL - 2 * _PAD) * (value - low) / (high - low)

    parts: list[str] = []
    run: list[tuple[float, float]] = []
    for n, one in enumerate(spots):
        if one.low is not None and one.high is not None:
            parts.append(
                f'<line class="reach" x1="{x(n):.1f}" x2="{x(n):.1f}" y1="{y(one.low):.1f}"'
                f' y2="{y(one.high):.1f}"/>'
            )
        if one.value is None:
            parts.append(f'<circle class="none" cx="{x(n):.1f}" cy="{_TALL - 3:.1f}" r="2"/>')
            parts += _run(run)
            run = []
            continue
        run.append((x(n), y(one.value)))
    parts += _run(run)
    at, newest = max((n, one.value) for n, one in enumerate(spots) if one.value is not None)
    parts.append(f'<circle class="now" cx="{x(at):.1f}" cy="{y(newest):.1f}" r="3.5"/>')
    return "".join(parts)


def _run(run: Sequence[tuple[float, float]]) -> list[str]:
    """Values that follow each other as a line, and each as a point."""
    dots = [f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in run]
    if len(run) < 2:
        return dots
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
    return [f'<polyline class="line" points="{points}"/>', *dots]


def _span(spots: Sequence[Spot]) -> tuple[float, float]:
    every = [
        number
        for one in spots
        if one.value is not None
        for number in (one.value, one.low, one.high)
        if number is not None
    ]
    low, high = min(every), max(every)
    if high - low < 1e-9 * max(abs(high), 1.0):
        return low - 1, high + 1
    return low, high


def cover_bar(share: float, needed: float) -> Markup:
    """Coverage as a bar, with a mark at what is needed. The figure stands beside it in words."""
    return Markup(  # noqa: S704 - numbers alone
        '<svg class="cover" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" x="0" y="2" width="100" height="4"/>'
        f'<rect class="done" x="0" y="2" width="{100 * min(max(share, 0), 1):.1f}" height="4"/>'
        f'<rect class="needed" x="{100 * needed - 0.5:.1f}" y="0" width="1" height="8"/></svg>'
    )


def figure(title: str, subtitle: str, lines: Sequence[Line], note: str) -> str:
    """All values as one picture that stands alone: to download, to print, to put in a report."""
    rows: list[str] = []
    y, theme = 84.0, ""
    for one in lines:
        if one.theme != theme:
            theme = one.theme
            rows.append(
                f'<text x="24" y="{y + 8:.0f}" font-size="15" font-weight="bold"'
                f' fill="#0a5a64">{escape(theme)}</text>'
            )
            y += 28
        rows.append(_line(one, y))
        y += 50
    height = y + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {height:.0f}" width="960"'
        f' height="{height:.0f}" font-family="{_FONT}" font-size="14" fill="#19242a">'
        f'<rect width="960" height="{height:.0f}" fill="#fff"/>'
        f'<text x="24" y="36" font-size="22" font-weight="bold">{escape(title)}</text>'
        f'<text x="24" y="60" fill="#545f63">{escape(subtitle)}</text>{"".join(rows)}'
        f'<text x="24" y="{height - 14:.0f}" font-size="11" fill="#545f63">{escape(note)}</text>'
        "</svg>"
    )


def _line(one: Line, y: float) -> str:
    drawn = ""
    if any(spot.value is not None for spot in one.spots):
        drawn = (
            f'<g transform="translate(764 {y - 22:.0f})" fill="none" stroke="#0a6a75">'
            f"{_coloured(_parts(one.spots))}</g>"
        )
    return (
        f'<text x="24" y="{y:.0f}">{escape(one.name)}</text>'
        f'<text x="24" y="{y + 18:.0f}" font-size="11" fill="#545f63">{escape(one.note)}</text>'
        f'<text x="740" y="{y:.0f}" text-anchor="end" font-weight="bold">{escape(one.value)}</text>'
        f'{drawn}<line x1="24" x2="936" y1="{y + 27:.0f}" y2="{y + 27:.0f}" stroke="#dcd7ca"/>'
    )


def _coloured(parts: str) -> str:
    """The classes of the page's stylesheet as colours: the picture has none."""
    looks = {
        'class="line"': 'stroke-width="2"',
        'class="reach"': 'stroke="#857f70" stroke-width="2"',
        'class="dot"': 'fill="#0a6a75" stroke="none"',
        'class="now"': 'fill="#b4472b" stroke="none"',
        'class="none"': 'stroke="#857f70"',
    }
    for name, look in looks.items():
        parts = parts.replace(name, look)
    return parts


def strip(own: float, others: Sequence[float]) -> Markup:
    """A value among those of others: the middle half of them as a band, their median as a line, the
    value itself as a mark. What is beyond the outermost twentieth stands at the end."""
    ranked = sorted(others)
    low, high = ranked[len(ranked) // 20], ranked[len(ranked) - 1 - len(ranked) // 20]
    wide = (high - low) or 1.0

    def at(value: float) -> float:
        return 2 + 96 * min(max((value - low) / wide, 0.0), 1.0)

    first, middle, third = (at(ranked[len(ranked) * n // 4]) for n in (1, 2, 3))
    return Markup(  # noqa: S704 - numbers alone
        '<svg class="strip" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        '<line class="track" x1="0" x2="100" y1="6" y2="6"/>'
        f'<rect class="half" x="{first:.1f}" y="3" width="{max(third - first, 0.5):.1f}" height="6"/>'
        f'<rect class="median" x="{middle - 0.4:.1f}" y="2" width="0.8" height="8"/>'
        f'<rect class="mark" x="{at(own) - 1:.1f}" y="0" width="2" height="12"/></svg>'
    )


Bars = Sequence[tuple[str, Sequence[tuple[str, Sequence[tuple[str, str, float | None]]]]]]


def bars_figure(title: str, subtitle: str, blocks: Bars, note: str) -> str:
    """Values side by side as one picture that stands alone: for each line a bar for each name."""
    rows: list[str] = []
    y = 92.0
    for heading, lines in blocks:
        rows.append(
            f'<text x="24" y="{y:.0f}" font-size="15" font-weight="bold" fill="#0a5a64">'
            f"{escape(heading)}</text>"
        )
        y += 26
        for name, cells in lines:
            rows.append(f'<text x="24" y="{y:.0f}" font-weight="bold">{escape(name)}</text>')
            y += 20
            for who, text, share in cells:
                rows.append(_bar_row(who, text, share, y))
                y += 20
            y += 12
        y += 10
    height = y + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {height:.0f}" width="960"'
        f' height="{height:.0f}" font-family="{_FONT}" font-size="13" fill="#19242a">'
        f'<rect width="960" height="{height:.0f}" fill="#fff"/>'
        f'<text x="24" y="36" font-size="22" font-weight="bold">{escape(title)}</text>'
        f'<text x="24" y="60" fill="#545f63">{escape(subtitle[:120])}</text>{"".join(rows)}'
        f'<text x="24" y="{height - 10:.0f}" font-size="11" fill="#545f63">{escape(note)}</text>'
        "</svg>"
    )


def _bar_row(who: str, text: str, share: float | None, y: float) -> str:
    bar = ""
    if share is not None:
        bar = f'<rect x="330" y="{y - 11:.0f}" width="{max(360 * share, 1):.1f}" height="13" fill="#0a6a75"/>'
    return f'<text x="40" y="{y:.0f}">{escape(who[:42])}</text>{bar}<text x="704" y="{y:.0f}">{escape(text[:40])}</text>'
