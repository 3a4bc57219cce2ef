"""Charts drawn on the server as SVG: readable without scripts, printable, named for readers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from markupsafe import Markup, escape

__all__ = ["bars", "chart", "ticks"]

Points = Sequence[tuple[float, float]]
Span = tuple[float, float]


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`."""
    span = (high - low) or abs(high) or 1.0
    raw = max(span / max(1, about), 1e-300)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def bars(values: Sequence[float], title: str, *, width: int = 240, height: int = 44) -> Markup:
    """Small bars from zero, oldest first. Empty without values."""
    if not values:
        return Markup()
    top = max(*values, 1.0)
    step = width / len(values)
    parts = []
    for index, value in enumerate(values):
        tall = (height - 6) * max(value, 0.0) / top
        tall = max(tall, 1.5) if value > 0 else 0.0
        parts.append(
            f'<rect class="bar" x="{index * step + step * 0.1:.1f}" y="{height - 2 - tall:.1f}" '
            f'width="{step * 0.8:.1f}" height="{tall:.1f}"/>'
        )
    return Markup(  # noqa: S704 - numbers, and text that was escaped
        f'<svg class="spark" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}"><line class="axis" x1="0" x2="{width}" '
        f'y1="{height - 1.5}" y2="{height - 1.5}"/>{"".join(parts)}</svg>'
    )


def chart(
    points: Points,
    title: str,
    *,
    x_label: Callable[[float], str],
    y_label: Callable[[float], str],
    stepped: bool = False,
    width: int = 760,
    height: int = 260,
    span: Span | None = None,
    gaps: Sequence[Span] = (),
) -> Markup:
    """A line over time with axes; `stepped` holds a value until the next one (states, counts).

    `span` is what the axis of time shows (default: from the first point to the last); the line is
    broken in `gaps`, which are in order.
    """
    if not points:
        return Markup()
    low, high = min(y for _, y in points), max(y for _, y in points)
    if 0 < low < (high - low) * 2 or low == high > 0:
        low = 0.0
    marks = ticks(low, high)
    margin = 14 + max(len(y_label(m)) for m in marks) * 7
    box = (margin, 10, width - 14, height - 28)
    span = span or (points[0][0], points[-1][0])
    place = _scale(span, marks[0], marks[-1], box)
    parts = []
    for mark in marks:
        _, y = place(span[0], mark)
        parts.append(
            f'<line class="grid" x1="{box[0]}" x2="{box[2]}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{box[0] - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(y_label(mark))}</text>'
        )
    parts.append(_x_axis(span, place, box, x_label))
    for piece in _pieces(points, gaps):
        spots = [place(*p) for p in (_steps(piece) if stepped else piece)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline class="line" points="{line}"/>')
        if len(piece) == 1:
            x, y = spots[0]
            parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
    return Markup(  # noqa: S704 - numbers, and text that was escaped
        f'<svg class="spark chart-svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _pieces(points: Points, gaps: Sequence[Span]) -> list[list[tuple[float, float]]]:
    """The line without its gaps: a value holds until a gap begins, and again after it where it is
    the same value still."""
    pieces = [[points[0]]]
    for before, after in pairwise(points):
        for begin, end in gaps:
            # A point that was thinned out of several may lie a little within the gap.
            first, last = max(begin, before[0]), min(end, after[0])
            if last - first > (end - begin) / 2:
                if first > before[0]:
                    pieces[-1].append((first, before[1]))
                pieces.append([(last, before[1])] if last < after[0] else [])
        pieces[-1].append(after)
    return pieces


def _x_axis(
    span: Span,
    place: Callable[[float, float], tuple[float, float]],
    box: tuple[int, int, int, int],
    x_label: Callable[[float], str],
) -> str:
    first, last = span
    marks = [first] if first == last else [first, (first + last) / 2, last]
    anchors = ["start", "middle", "end"] if len(marks) > 1 else ["start"]
    parts = [f'<line class="axis" x1="{box[0]}" x2="{box[2]}" y1="{box[3]}" y2="{box[3]}"/>']
    for mark, anchor in zip(marks, anchors, strict=True):
        x = place(mark, 0.0)[0] if len(marks) > 1 else box[0]
        parts.append(
            f'<text x="{x:.1f}" y="{box[3] + 19}" text-anchor="{anchor}">'
            f"{escape(x_label(mark))}</text>"
        )
    return "".join(parts)


def _steps(points: Points) -> list[tuple[float, float]]:
    stairs = [points[0]]
    for (_, before), (x, y) in pairwise(points):
        stairs += [(x, before), (x, y)]
    return stairs


def _scale(
    span: Span, low: float, high: float, box: tuple[int, int, int, int]
) -> Callable[[float, float], tuple[float, float]]:
    first, last = span
    wide, tall = (last - first) or 1.0, (high - low) or 1.0
    left, top, right, bottom = box

    def place(x: float, y: float) -> tuple[float, float]:
        across = left + (right - left) * ((x - first) / wide if last > first else 0.5)
        return across, bottom - (bottom - top) * (y - low) / tall

    return place
