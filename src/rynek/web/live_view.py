"""What a map view shows: points while they are few, clusters on a world grid when they are many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rynek.base.clock import MICRO
from rynek.web.live_table import (
    NEVER,
    REFERENCE,
    STATUSES,
    STOP,
    LiveTable,
    Mask,
    Rows,
)
from rynek.web.themes import RULES, THEMES

Box = tuple[float, float, float, float]
Floats = npt.NDArray[np.float64]
STOPS_FROM_ZOOM: Final = 12.5
CLUSTER_PX: Final = 84
_TILE: Final = 512
_MAX_CELLS: Final = 4096
_LINE_NAME: Final = 5
_THEME_KEYS: Final = tuple(theme.key for theme in THEMES)


def visible(table: LiveTable, box: Box | None, zoom: float, themes: Sequence[int]) -> Rows:
    """The rows in `box` (west, south, east, north; west > east crosses 180°) of these themes."""
    n = table.size
    mask: Mask = table.alive[:n] & (table.role[:n] != REFERENCE)
    if zoom < STOPS_FROM_ZOOM:
        mask &= table.role[:n] != STOP
    if len(themes) < len(THEMES):
        mask &= np.isin(table.theme[:n], np.array(themes, dtype=np.uint8))
    if box is not None:
        west, south, east, north = box
        lon, lat = table.lon[:n], table.lat[:n]
        inside = (lon >= west) & (lon <= east) if west <= east else (lon >= west) | (lon <= east)
        mask &= inside & (lat >= south) & (lat <= north)
    else:
        mask &= ~np.isnan(table.lon[:n])
    return np.flatnonzero(mask)


def _finite(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def properties(table: LiveTable, row: int, status: int) -> dict[str, Any]:
    """What the page needs of one entity; members without a value are left out."""
    told: dict[str, Any] = {
        "id": table.ids[row],
        "theme": _THEME_KEYS[table.theme[row]],
        "type": table.kinds[table.kind[row]],
        "status": STATUSES[status],
    }
    if table.names[row]:
        told["name"] = table.names[row]
    if table.labels[row]:
        told["label"] = table.labels[row]
    elif table.moves[row] and 0 < len(table.names[row]) <= _LINE_NAME:
        told["label"] = told.pop("name")  # vehicles that are called by their line
    if table.role[row] == STOP:
        told["stop"] = True
    for member, digits in (("number", 2), ("total", 2), ("level", 3), ("bearing", 0)):
        value = _finite(float(getattr(table, member)[row]), digits)
        if value is not None:
            told[member] = value
    rule = RULES.get(told["type"])
    if rule is not None and "number" in told:
        told["attr"] = rule.number[table.spoken[row]]
    if rule is not None and table.leveled[row]:
        told["levelAttr"] = rule.level[table.leveled[row] - 1]
    if table.seen[row] != NEVER:
        told["seen"] = int(table.seen[row]) // (MICRO // 1000)
    return told


def feature(table: LiveTable, row: int, status: int) -> dict[str, Any]:
    """One entity as a GeoJSON feature; geometry null where it has no place."""
    lon, lat = float(table.lon[row]), float(table.lat[row])
    place = (
        {"type": "Point", "coordinates": [round(lon, 6), round(lat, 6)]}
        if math.isfinite(lon)
        else None
    )
    told = properties(table, row, status)
    return {"type": "Feature", "id": row, "geometry": place, "properties": told}


def points(table: LiveTable, rows: Rows, status: Any) -> list[dict[str, Any]]:
    """GeoJSON features of `rows`, with their `status` (same length)."""
    pairs = zip(rows.tolist(), status.tolist(), strict=True)
    return [feature(table, row, state) for row, state in pairs]


def clusters(
    table: LiveTable, rows: Rows, zoom: float, status_of: Any
) -> tuple[list[dict[str, Any]], int]:
    """`rows` gathered on a Mercator grid of about CLUSTER_PX pixels, which stays put when the
    map is moved: features with `count`, `themes` (count by theme) and the leading `theme`;
    cells of one come as plain points. Also the number of points left plain."""
    x, y = _mercator(table.lon[rows], table.lat[rows])
    # Steps of half a zoom: circles keep their places while the map is zoomed smoothly.
    cell = CLUSTER_PX / (_TILE * 2.0 ** (math.floor(zoom * 2) / 2))
    spread = max(float(np.ptp(x)), float(np.ptp(y)), 1e-9)
    cell = max(cell, spread / math.isqrt(_MAX_CELLS))
    cx, cy = np.floor(x / cell), np.floor(y / cell)
    tall = int(cy.max() - cy.min()) + 1
    key = ((cx - cx.min()) * tall + (cy - cy.min())).astype(np.int64)
    count = np.bincount(key)
    cells = len(count)
    by_theme = np.bincount(
        key * len(THEMES) + table.theme[rows], minlength=cells * len(THEMES)
    ).reshape(cells, len(THEMES))
    some = np.maximum(count, 1)
    lon, lat = _degrees(
        _kept_inside(np.bincount(key, weights=x) / some, cell),
        _kept_inside(np.bincount(key, weights=y) / some, cell),
    )
    alone = rows[count[key] == 1]
    made = points(table, alone, status_of(alone))
    made += [
        _cluster(int(c), int(count[c]), by_theme[c], float(lon[c]), float(lat[c]))
        for c in np.flatnonzero(count > 1)
    ]
    return made, len(alone)


def _mercator(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Web Mercator with the world from 0 to 1."""
    bent = np.log(np.tan(np.pi / 4 + np.radians(np.clip(lat, -85, 85)) / 2))
    return (lon + 180) / 360, 0.5 - bent / (2 * np.pi)


def _degrees(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    lat = 2 * np.arctan(np.exp((0.5 - y) * 2 * np.pi)) - np.pi / 2
    return x * 360 - 180, np.degrees(lat)


def _kept_inside(middle: Floats, cell: float) -> Floats:
    """Middles kept to the inner part of their cell, so that circles of neighbours stay apart."""
    start = np.floor(middle / cell) * cell
    kept: Floats = np.clip(middle, start + 0.28 * cell, start + 0.72 * cell)
    return kept


def _cluster(
    cell: int, count: int, by_theme: npt.NDArray[np.int64], lon: float, lat: float
) -> dict[str, Any]:
    told = {
        "cluster": True,
        "count": count,
        "theme": _THEME_KEYS[int(by_theme.argmax())],
        "themes": {_THEME_KEYS[i]: int(by_theme[i]) for i in np.flatnonzero(by_theme)},
    }
    place = {"type": "Point", "coordinates": [round(lon, 6), round(lat, 6)]}
    return {"type": "Feature", "id": -1 - cell, "geometry": place, "properties": told}
