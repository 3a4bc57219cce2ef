"""Rank intervals and a map, drawn on the server as SVG."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from markupsafe import Markup, escape

from rynek.web.basemap import read_layer

__all__ = ["bar", "figure", "place_map"]

CLASSES: Final = 5
_WIDTH: Final = 720.0


def bar(row: Mapping[str, Any], many: int, kind: str = "rank_interval") -> Markup:
    """One rank interval on a line from the first place to the last, the rank as a mark, and the
    population's interval thin behind it. The figures stand beside it in words."""
    if row.get("rank") is None or row.get(kind) is None:
        return Markup()
    low, high = row[kind]
    parts = []
    wide = row.get("population_rank_interval")
    if wide:
        parts.append(_line("wide", wide[0], wide[1], many))
    parts.append(_line("span", low, high, many))
    at = _at(row["rank"], many)
    parts.append(f'<rect class="mark" x="{at - 0.6:.2f}" y="1" width="1.2" height="8"/>')
    return Markup(  # noqa: S704 - numbers alone
        '<svg class="rank-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<line class="track" x1="0" x2="100" y1="5" y2="5"/>{"".join(parts)}</svg>'
    )


def _line(name: str, low: float, high: float, many: int) -> str:
    start, end = _at(low, many), _at(high, many)
    return f'<line class="{name}" x1="{start - 0.3:.2f}" x2="{end + 0.3:.2f}" y1="5" y2="5"/>'


def _at(rank: float, many: int) -> float:
    return 1 + 98 * (rank - 1) / max(many - 1, 1)


def figure(title: str, rows: Sequence[tuple[str, Mapping[str, Any]]], note: str) -> str:
    """All intervals as one picture that stands alone: to download, to print, to put in a report."""
    many = len(rows)
    height = 70 + 24 * many
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 {height}" width="900"'
        f' height="{height}" font-family="sans-serif" font-size="14" fill="#19242a">'
        f'<rect width="900" height="{height}" fill="#fff"/>'
        f'<text x="16" y="28" font-size="18" font-weight="bold">{escape(title)}</text>'
    )
    out = [head]
    for n, (name, row) in enumerate(rows):
        y = 56 + 24 * n
        out.append(f'<text x="16" y="{y + 5}">{escape(name)}</text>')
        out.append(f'<text x="330" y="{y + 5}" text-anchor="end">{row["rank"]:g}</text>')
        for key, width, colour in (
            ("population_rank_interval", 3, "#857f70"),
            ("rank_interval", 9, "#0a6a75"),
        ):
            if row.get(key):
                start, end = (350 + 5.3 * _at(one, many) for one in row[key])
                out.append(
                    f'<line x1="{start - 2:.1f}" x2="{end + 2:.1f}" y1="{y}" y2="{y}"'
                    f' stroke="{colour}" stroke-width="{width}"/>'
                )
        at = 350 + 5.3 * _at(row["rank"], many)
        out.append(
            f'<circle cx="{at:.1f}" cy="{y}" r="5" fill="#fff" stroke="#b4472b" stroke-width="3"/>'
        )
    out.append(
        f'<text x="16" y="{height - 10}" font-size="11" fill="#545f63">{escape(note)}</text></svg>'
    )
    return "".join(out)


def place_map(
    units: Sequence[Mapping[str, Any]],
    ranks: Sequence[float],
    regions: Sequence[tuple[str, str, float]],
    title: str,
) -> Markup:
    """Units where they lie, in five classes of equal size by rank, darker is better; each region's
    rank at the middle of its units (id, name, rank). Empty where no unit has a place."""
    placed = [n for n, unit in enumerate(units) if "place" in unit]
    if not placed:
        return Markup()
    spots = [units[n]["place"] for n in placed]
    outlines = _countries(tuple(map(tuple, spots[:: max(1, len(spots) // 40)])))
    project, height = _projection([*spots, *_corners(spots, outlines)])
    order = sorted(range(len(units)), key=lambda n: ranks[n])
    step = {n: min(CLASSES - 1, CLASSES * at // len(units)) for at, n in enumerate(order)}
    paths: list[list[str]] = [[] for _ in range(CLASSES)]
    for n, spot in zip(placed, spots, strict=True):
        x, y = project(*spot)
        paths[step[n]].append(f"M{x:.0f} {y:.0f}h0")
    land = "".join(f'<path class="land" d="{_ring(ring, project)}"/>' for ring in outlines)
    dots = "".join(
        f'<path class="dots q{n + 1}" d="{"".join(paths[n])}"/>' for n in reversed(range(CLASSES))
    )
    labels = "".join(_label(code, name, rank, units, project) for code, name, rank in regions)
    return Markup(  # noqa: S704 - numbers, and text that was escaped
        f'<svg class="index-map" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img"'
        f' aria-label="{escape(title)}">{land}{dots}{labels}</svg>'
    )


def _label(
    code: str,
    name: str,
    rank: float,
    units: Sequence[Mapping[str, Any]],
    project: Callable[[float, float], tuple[float, float]],
) -> str:
    spots = [unit["place"] for unit in units if unit["group"] == code and "place" in unit]
    if not spots:
        return ""
    x, y = project(sum(s[0] for s in spots) / len(spots), sum(s[1] for s in spots) / len(spots))
    text = f"{rank:g}"
    return (
        f'<g class="region-rank" data-id="{escape(code)}"><title>{escape(name)}: {text}</title>'
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="11"/>'
        f'<text x="{x:.0f}" y="{y + 4.5:.0f}">{text}</text></g>'
    )


def _projection(
    spots: Sequence[Sequence[float]],
) -> tuple[Callable[[float, float], tuple[float, float]], float]:
    """Longitude and latitude to the picture: equirectangular, true at the middle latitude."""
    west, east = min(s[0] for s in spots), max(s[0] for s in spots)
    south, north = min(s[1] for s in spots), max(s[1] for s in spots)
    shrink = math.cos(math.radians((south + north) / 2))
    scale = (_WIDTH - 40) / max((east - west) * shrink, 1e-6)
    scale = min(scale, 800 / max(north - south, 1e-6))
    left = (_WIDTH - (east - west) * shrink * scale) / 2

    def project(longitude: float, latitude: float) -> tuple[float, float]:
        return left + (longitude - west) * shrink * scale, 20 + (north - latitude) * scale

    return project, (north - south) * scale + 40


def _corners(
    spots: Sequence[Sequence[float]], outlines: Sequence[Sequence[Sequence[float]]]
) -> list[tuple[float, float]]:
    """Points of the outlines that are near enough to the units to be on the picture as well."""
    west, east = min(s[0] for s in spots), max(s[0] for s in spots)
    south, north = min(s[1] for s in spots), max(s[1] for s in spots)
    x, y = 0.25 * (east - west), 0.25 * (north - south)
    return [
        (point[0], point[1])
        for ring in outlines
        for point in ring
        if west - x <= point[0] <= east + x and south - y <= point[1] <= north + y
    ]


def _ring(
    ring: Sequence[Sequence[float]], project: Callable[[float, float], tuple[float, float]]
) -> str:
    points = (project(*point[:2]) for point in ring)
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points) + "Z"


@lru_cache(maxsize=16)
def _countries(spots: tuple[tuple[float, float], ...]) -> tuple[list[list[float]], ...]:
    """Outlines of the countries that hold any of the places (Natural Earth)."""
    from shapely.geometry import MultiPoint, Polygon

    points = MultiPoint(spots)
    found: list[list[list[float]]] = []
    for feature in json.loads(read_layer("countries")[0])["features"]:
        shape = feature["geometry"]
        every = [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]
        rings = (polygon[0] for polygon in every if len(polygon[0]) > 3)
        found += [ring for ring in rings if Polygon(ring).intersects(points)]
    return tuple(found)
