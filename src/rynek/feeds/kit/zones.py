"""Where the namesake city of a time zone lies, as the zone database's own list says."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

_PLACE = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?\Z")


@lru_cache(maxsize=64)
def place_of(zone: str) -> tuple[float, float] | None:
    """(longitude, latitude) of an IANA zone's namesake; None for UTC and others without a place."""
    text = resources.files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8")
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) > 2 and fields[2].strip() == zone:
            match = _PLACE.match(fields[1])
            return _degrees(match) if match is not None else None
    return None


def _degrees(match: re.Match[str]) -> tuple[float, float]:
    south, *lat, west, lon, minutes, seconds = match.groups(default="0")
    north = int(lat[0]) + int(lat[1]) / 60 + int(lat[2]) / 3600
    east = int(lon) + int(minutes) / 60 + int(seconds) / 3600
    return (-east if west == "-" else east), (-north if south == "-" else north)
