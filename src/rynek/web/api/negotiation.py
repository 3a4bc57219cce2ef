"""What a client accepts: media types (CIM 009 §6.3.4, RFC 9110 §12.5) and content codings."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from rynek.base.errors import NotAcceptable
from rynek.web.api.call import GEO_JSON, JSON, JSON_LD

# In the standard's order: the first of what a client accepts equally is sent.
_OFFERS: Final = (JSON, JSON_LD, GEO_JSON)
_ANY: Final = ("*/*", "application/*")
_PIECE: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER: Final = re.compile(r';\s*q\s*=\s*"?([0-9.]{1,10})"?\s*(?=;|$)', re.IGNORECASE)


def _ranges(header: str) -> list[tuple[str, float]]:
    """(range in lower case, quality from 0 to 1) of a list such as Accept."""
    found = []
    for piece in _PIECE.findall(header):
        name = piece.partition(";")[0].strip().lower()
        if name:
            weight = _PARAMETER.search(piece)
            found.append((name, _quality(weight[1]) if weight else 1.0))
    return found


def _quality(text: str) -> float:
    try:
        return min(float(text), 1.0)
    except ValueError:
        return 0.0


@lru_cache(maxsize=512)
def accepted(header: str | None, *, geojson: bool = False, strict: bool = True) -> bytes:
    """The best of JSON, JSON-LD and (where there is one) GeoJSON for an Accept header (§6.3.4).

    Of the ranges that match an offer the most specific tells its weight; among equal weights the
    standard's order decides. NotAcceptable if nothing is left; operations that write (not `strict`)
    have no answer but errors, which are JSON whatever was asked for, and only refuse GeoJSON.
    """
    if not header:
        return JSON
    ranges = dict(_ranges(header))
    offers = _OFFERS if geojson else _OFFERS[:2]
    best, most = JSON, 0.0
    for offer in offers:
        names = (offer.decode(), *reversed(_ANY))
        quality = next((ranges[name] for name in names if name in ranges), 0.0)
        if quality > most:
            best, most = offer, quality
    if most > 0:
        return best
    if strict or GEO_JSON.decode() in ranges:
        available = [offer.decode() for offer in offers]
        raise NotAcceptable("available are " + ", ".join(available), available=available)
    return JSON


@lru_cache(maxsize=512)
def takes_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header takes gzip."""
    codings = dict(_ranges(header))
    return codings.get("gzip", codings.get("x-gzip", codings.get("*", 0.0))) > 0
