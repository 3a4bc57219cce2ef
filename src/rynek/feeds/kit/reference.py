"""Positions in a country's own coordinates (S-JTSK, PUWG 1992, UTM, Gauss-Krüger …) → WGS 84."""

from __future__ import annotations

import math
import re
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyproj import Transformer

_AUTHORITY = re.compile(r"(EPSG|ESRI)(?:::?|:[\d.]+:|/\d+/)(\d{3,6})\Z", re.IGNORECASE)
_WGS84 = frozenset({"EPSG:4326", "EPSG:4979"})
_ESRI_FROM = 37_001
"""Esri's own numbers (102067 is S-JTSK) begin there; smaller ones are EPSG's."""
_KROVAK = frozenset({"EPSG:5221", "EPSG:5514", "EPSG:8353", "ESRI:102067"})
_KROVAK_SOUTH = frozenset({"EPSG:2065", "EPSG:5513", "EPSG:8352"})
"""The same with southing and westing, both positive, in this order."""
_MARGIN = 3.0
_kept = threading.local()


class Reference:
    """One coordinate reference system; made by `reference`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def planar(self, x: Any, y: Any) -> bool:
        """Whether these can be coordinates in this system: small numbers are degrees, which a
        system in metres has none of."""
        crs = _engine(self.name).source_crs
        if crs is None or crs.is_geographic:
            return True
        return any(isinstance(one, int | float) and abs(one) > 180 for one in (x, y))

    def degrees(self, x: float, y: float) -> tuple[float, float] | None:
        """Easting and northing → longitude and latitude; None where they lie more than 3 degrees
        outside the area that the system is made for (wrong system, or the two exchanged)."""
        # In Czechia and Slovakia the southing is always the greater; many write it without the
        # sign, and call it X.
        if self.name in _KROVAK:
            x, y = -min(abs(x), abs(y)), -max(abs(x), abs(y))
        elif self.name in _KROVAK_SOUTH:
            x, y = max(abs(x), abs(y)), min(abs(x), abs(y))
        engine = _engine(self.name)
        lon, lat = engine.transform(x, y)
        if not (math.isfinite(lon) and math.isfinite(lat)):
            return None
        area = engine.source_crs.area_of_use if engine.source_crs is not None else None
        if area is not None and not (
            area.west - _MARGIN <= lon <= area.east + _MARGIN
            and area.south - _MARGIN <= lat <= area.north + _MARGIN
        ):
            return None
        return lon, lat


def reference(name: str) -> Reference | None:
    """The system of that name: `EPSG:5514`, `urn:ogc:def:crs:EPSG::5514`, an Esri number; None for
    WGS 84 in degrees. ValueError when it is unknown."""
    if name.endswith(("CRS84", "CRS84h")):
        return None
    known = (
        f"ESRI:{name}" if name.isdecimal() and len(name) < 10 and int(name) >= _ESRI_FROM else name
    )
    match = _AUTHORITY.search(f"EPSG:{known}" if known.isdecimal() else known)
    if match is None:
        raise ValueError(f"crs {name!r}: give a number of the EPSG registry, such as EPSG:5514")
    code = f"{match.group(1).upper()}:{match.group(2)}"
    if code in _WGS84:
        return None
    _engine(code)
    return Reference(code)


def _engine(code: str) -> Transformer:
    """The transformation, one for each thread: PROJ's objects are not to be shared."""
    engines: dict[str, Any] = _kept.__dict__.setdefault("engines", {})
    if code not in engines:
        from pyproj import Transformer
        from pyproj.exceptions import ProjError

        try:
            engines[code] = Transformer.from_crs(code, "OGC:CRS84", always_xy=True)
        except ProjError:
            raise ValueError(f"crs {code!r} is not in the registry") from None
    found: Transformer = engines[code]
    return found
