"""What was observed against what would have been, drawn on the server as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from rynek.web.pages.plot import ticks

__all__ = ["compared"]

_Points = Sequence[float | None]
_WIDTH, _HEIGHT = 760, 300


def compared(
    observed: _Points,
    expected: _Points,
    labels: Sequence[str],
    start: int,
    title: str,
    *,
    number: Callable[[float], str],
) -> Markup:
    """Two lines over the same periods: `observed` drawn through, `expected` dashed; a mark where
    the practice starts. Empty where there is nothing to draw."""
    values = [each for each in (*observed, *expected) if each is not None and math.isfinite(each)]
    if not values or len(labels) < 2:
        return Markup()
    low, high = min(values), max(values)
    if 0 < low < (high - low) * 2:
        low = 0.0
    marks = ticks(low, high)
    left = 14 + max(len(number(mark)) for mark in marks) * 7
    right, top, bottom = _WIDTH - 14, 14, _HEIGHT - 30
    tall = (marks[-1] - marks[0]) or 1.0

    def at(index: int) -> float:
        return left + (right - left) * index / (len(labels) - 1)

    def up(value: float) -> float:
        return bottom - (bottom - top) * (value - marks[0]) / tall

    parts = [
        f'<line class="grid" x1="{left}" x2="{right}" y1="{up(mark):.1f}" y2="{up(mark):.1f}"/>'
        f'<text x="{left - 8}" y="{up(mark) + 4:.1f}" text-anchor="end">{escape(number(mark))}</text>'
        for mark in marks
    ]
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts += [
        f'<text x="{at(index):.1f}" y="{bottom + 19}" text-anchor="{anchor}">'
        f"{escape(labels[index])}</text>"
        for index, anchor in _x_marks(len(labels), start)
    ]
    if 0 < start < len(labels):
        x = at(start) - (right - left) / (len(labels) - 1) / 2
        parts.append(
            f'<line class="start" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 8}" y2="{bottom}"/>'
        )
    for kind, points in (("expected", expected), ("observed", observed)):
        parts += [f'<polyline class="{kind}" points="{line}"/>' for line in _lines(points, at, up)]
    return Markup(  # noqa: S704 - numbers, and text that was escaped
        f'<svg class="spark compared" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _x_marks(count: int, start: int) -> list[tuple[int, str]]:
    """The first and the last period, and the start where it stands far enough from both."""
    marks = [(0, "start"), (count - 1, "end")]
    if count * 0.15 < start < count * 0.85:
        marks.insert(1, (start, "middle"))
    return marks


def _lines(points: _Points, at: Callable[[int], float], up: Callable[[float], float]) -> list[str]:
    """The stretches without gaps, as points of polylines."""
    stretches: list[list[str]] = [[]]
    for index, value in enumerate(points):
        if value is None or not math.isfinite(value):
            stretches.append([])
        else:
            stretches[-1].append(f"{at(index):.1f},{up(value):.1f}")
    return [" ".join(stretch) for stretch in stretches if stretch]
