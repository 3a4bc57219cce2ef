"""Builders for the parts of an NGSI-LD document in the normalized representation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from rynek.base.clock import to_iso
from rynek.base.ids import urn
from rynek.feeds.contract import FeedConfig

__all__ = ["document", "geo", "language", "moment", "point", "prop", "provenance", "rel", "urn"]

# The attributes of one vehicle share a moment, often those of many do.
_iso = lru_cache(maxsize=4096)(to_iso)


def prop(value: Any, observed: int | None = None, unit: str | None = None) -> dict[str, Any]:
    """A Property; `observed` in epoch microseconds, `unit` a UN/CEFACT code (KMH, SEC, P1 …)."""
    made: dict[str, Any] = {"type": "Property", "value": value}
    # In the order of the store, which compares bytes.
    if unit is not None:
        made["unitCode"] = unit
    if observed is not None:
        made["observedAt"] = _iso(observed)
    return made


def geo(geometry: Mapping[str, Any], observed: int | None = None) -> dict[str, Any]:
    """A GeoProperty holding a GeoJSON geometry (WGS 84, [longitude, latitude])."""
    made: dict[str, Any] = {"type": "GeoProperty", "value": dict(geometry)}
    if observed is not None:
        made["observedAt"] = _iso(observed)
    return made


def point(lon: float, lat: float, observed: int | None = None) -> dict[str, Any]:
    """A GeoProperty with a Point; degrees rounded to 1e-6 (about 0.1 m), as trackers repeat noise."""
    return geo({"type": "Point", "coordinates": [round(lon, 6), round(lat, 6)]}, observed)


def rel(target: str | Sequence[str], observed: int | None = None) -> dict[str, Any]:
    """A Relationship to one entity id, or to several."""
    made: dict[str, Any] = {
        "type": "Relationship",
        "object": target if isinstance(target, str) else list(target),
    }
    if observed is not None:
        made["observedAt"] = _iso(observed)
    return made


def language(texts: Mapping[str, str], observed: int | None = None) -> dict[str, Any]:
    """A LanguageProperty; `texts` maps BCP 47 tags to strings."""
    made: dict[str, Any] = {"type": "LanguageProperty", "languageMap": dict(texts)}
    if observed is not None:
        made["observedAt"] = _iso(observed)
    return made


def moment(micros: int) -> dict[str, str]:
    """A typed DateTime value for a Property (CIM 009 §4.6.3)."""
    return {"@type": "DateTime", "@value": to_iso(micros)}


def document(
    entity_id: str, entity_type: str, **attributes: dict[str, Any] | None
) -> dict[str, Any]:
    """An entity document; attributes that are None are left out."""
    given = {name: value for name, value in attributes.items() if value is not None}
    return {"id": entity_id, "type": entity_type, **given}


def provenance(config: FeedConfig) -> dict[str, dict[str, Any]]:
    """`dataProvider` and `source` of everything a feed makes.

    `source` is the URL without user and query, which may hold a key; for files and recordings it
    is the attribution, else the feed's name.
    """
    own = config.attribution or f"feed:{config.name}"
    return dict(_provenance(config.provider, config.source, own))


@lru_cache(maxsize=256)
def _provenance(provider: str, source: str, otherwise: str) -> dict[str, dict[str, Any]]:
    """Made once: each document of a feed has it."""
    made: dict[str, dict[str, Any]] = {}
    if provider:
        made["dataProvider"] = prop(provider)
    made["source"] = prop(_origin(source, otherwise))
    return made


def _origin(source: str, otherwise: str) -> str:
    parts = urlsplit(source)
    if parts.scheme in ("http", "https") and parts.hostname:
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
    return otherwise
