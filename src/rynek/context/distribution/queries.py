"""The parameters of a query → a Query data type, for sources asked by POST (CIM 009 §5.2.23)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["query_document"]

# What stays in the URL of POST /entityOperations/query (§6.23.3.1).
_URL: Final = frozenset(("options", "format", "limit", "offset", "count", "local"))
_LISTS: Final = frozenset(("attrs", "pick", "omit", "datasetId", "expandValues", "jsonKeys"))
_GEO: Final = frozenset(("georel", "geometry", "coordinates", "geoproperty"))
_SELECTOR: Final = frozenset(("id", "idPattern", "type"))
_TEXTS: Final = frozenset(("expandValues", "jsonKeys"))


def query_document(params: dict[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """What stays in the URL, and the Query that says the rest."""
    url = {name: value for name, value in params.items() if name in _URL}
    document: dict[str, Any] = {"type": "Query"}
    if not _SELECTOR.isdisjoint(params):
        document["entities"] = [_selector(params)]
    geo = {name: value for name, value in params.items() if name in _GEO}
    if "coordinates" in geo:
        geo["coordinates"] = msgspec.json.decode(geo["coordinates"])
    if geo:
        document["geoQ"] = geo
    for name, value in params.items():
        if name in _URL or name in _GEO or name in _SELECTOR:
            continue
        listed = name in _LISTS and name not in _TEXTS
        document[name] = value.split(",") if listed else value
    return url, document


def _selector(params: dict[str, str]) -> dict[str, Any]:
    selector: dict[str, Any] = {"type": params.get("type", "*")}
    if "id" in params:
        ids = params["id"].split(",")
        selector["id"] = ids[0] if len(ids) == 1 else ids
    if "idPattern" in params:
        selector["idPattern"] = params["idPattern"]
    return selector
