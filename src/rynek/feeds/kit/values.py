"""Numbers and positions as sources write them."""

from __future__ import annotations

import math
from typing import Any

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


def number(value: Any, comma: bool = False) -> float | None:
    """A finite number, also from text (`1 234,5` with `comma`); None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        text = value.strip().replace("\u00a0", "").replace("\u202f", "").replace(" ", "")
        if comma:
            text = text.replace(".", "").replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            return None
    if not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) else None


def place_problem(lon: float, lat: float, bounds: Bounds | None) -> str | None:
    """Why a position cannot be used, as a finding code; None when it can.

    `position-invalid`: not degrees; `position-zero`: 0, 0, what a tracker without a fix sends;
    `position-outside`: not within `bounds`; `position-swapped`: it would be with longitude and
    latitude exchanged.
    """
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):
        return "position-invalid"
    if abs(lon) < 1e-6 and abs(lat) < 1e-6:
        return "position-zero"
    if bounds is not None:
        west, south, east, north = bounds
        if not (west <= lon <= east and south <= lat <= north):
            swapped = west <= lat <= east and south <= lon <= north
            return "position-swapped" if swapped else "position-outside"
    return None


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Great-circle distance in metres on a sphere of 6,371 km."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half = math.sin((phi2 - phi1) / 2) ** 2
    half += math.cos(phi1) * math.cos(phi2) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * 6_371_000 * math.asin(min(1.0, math.sqrt(half)))
