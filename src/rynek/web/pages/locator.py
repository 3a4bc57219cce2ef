"""A map without a map: where one thing is among everything else in the city, drawn as SVG."""

from __future__ import annotations

from typing import Final

import numpy as np
from markupsafe import Markup, escape

from rynek.web.live_table import LiveTable

__all__ = ["locator"]

_MOST: Final = 1500
_WIDE: Final = 400
_TALL: Final = 300


def locator(table: LiveTable, place: tuple[float, float], title: str) -> Markup:
    """Every placed thing (a sample of at most 1,500) as a dot, `place` (lon, lat) stressed."""
    n = table.size
    rows = np.flatnonzero(table.alive[:n] & ~np.isnan(table.lon[:n]))
    lon, lat = table.lon[rows], table.lat[rows]
    if len(rows):
        keep = _near(lon, lat, place)
        lon, lat = lon[keep], lat[keep]
    lons, lats = np.append(lon, place[0]), np.append(lat, place[1])
    squeeze = float(np.cos(np.radians(place[1])))
    west, east = float(lons.min()) * squeeze, float(lons.max()) * squeeze
    south, north = float(lats.min()), float(lats.max())
    span = max((east - west) / _WIDE, (north - south) / _TALL, 1e-6) * 1.12
    x = _WIDE / 2 + (lons * squeeze - (west + east) / 2) / span
    y = _TALL / 2 - (lats - (south + north) / 2) / span
    cells = sorted({(round(a), round(b)) for a, b in zip(x[:-1], y[:-1], strict=True)})
    path = "".join(f"M{a} {b}h0" for a, b in cells)
    return Markup(  # noqa: S704 - numbers, and text that was escaped
        f'<svg class="locator" viewBox="0 0 {_WIDE} {_TALL}" role="img" '
        f'aria-label="{escape(title)}"><path class="others" d="{path}"/>'
        f'<circle class="halo" cx="{x[-1]:.0f}" cy="{y[-1]:.0f}" r="16"/>'
        f'<circle class="spot" cx="{x[-1]:.0f}" cy="{y[-1]:.0f}" r="6"/></svg>'
    )


def _near(lon: np.ndarray, lat: np.ndarray, place: tuple[float, float]) -> np.ndarray:
    """Indexes of a sample without the farthest two per cent (a lost vehicle hides the city)."""
    far = np.hypot((lon - place[0]) * np.cos(np.radians(place[1])), lat - place[1])
    near = np.flatnonzero(far <= np.percentile(far, 98))
    step = max(1, len(near) // _MOST)
    return near[::step]
