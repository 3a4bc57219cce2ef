"""Values of hostile JSON records → checked Python values; None where they are not what they claim."""

from __future__ import annotations

import math
from typing import Any

from rynek.base.clock import MICRO
from rynek.feeds.contract import Situation
from rynek.feeds.kit.times import LATEST, to_micros
from rynek.feeds.kit.values import place_problem

EARLIEST = 946_684_800 * MICRO
"""2000-01-01: no city sensor reported before; such times are counters or defaults, not times."""

_TRUE = frozenset({"1", "true", "yes", "y", "t"})
_FALSE = frozenset({"0", "false", "no", "n", "f"})


def finite(value: Any) -> float | int | None:
    """A finite number from a number or its text; None for anything else (booleans too)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) and 0 < len(value) <= 40 and "_" not in value:
        try:
            found = float(value)
        except ValueError:
            return None
        if not math.isfinite(found):
            return None
        return int(found) if found.is_integer() and abs(found) < 2**53 else found
    return None


def whole(value: Any) -> int | None:
    """A whole number that is not negative; None for anything else."""
    found = finite(value)
    if found is None or found < 0 or found != int(found):
        return None
    return int(found)


def flag(value: Any) -> bool | None:
    """A boolean from true/false, 1/0 or their text; None for anything else."""
    if isinstance(value, bool):
        return value
    spelled = str(value).strip().lower() if isinstance(value, int | str) else ""
    if spelled in _TRUE:
        return True
    return False if spelled in _FALSE else None


def label(value: Any, limit: int = 2000) -> str | None:
    """Trimmed text of at most `limit` characters from a text or whole number; None when empty."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip()[:limit] or None


def when(value: Any, zone: str = "UTC", pattern: str | None = None) -> int | None:
    """A time as in `to_micros` → epoch µs; None when it is none or not from 2000 to 2200."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        micros = to_micros(value, zone, pattern)
    except (ValueError, OverflowError):
        return None
    return micros if EARLIEST <= micros < LATEST else None


def placed(lon: Any, lat: Any, situation: Situation, example: object) -> tuple[float, float] | None:
    """(longitude, latitude) in degrees; None when missing or unusable, the latter counted.

    Codes as in `place_problem`; `position-missing` when there is no pair of numbers.
    """
    east, north = finite(lon), finite(lat)
    if east is None or north is None:
        situation.findings.add("position-missing", "info", example)
        return None
    problem = place_problem(east, north, situation.config.bounds)
    if problem is not None:
        situation.findings.add(problem, "warning", f"{example}: {east}, {north}")
        return None
    return float(east), float(north)
