"""A Query data type (CIM 009 §5.2.23) as a body → the parameters that say the same."""

from __future__ import annotations

from typing import Any, Final

from rynek.base.errors import BadRequestData, TooComplexQuery
from rynek.context import null_inside
from rynek.web.api.bodies import dumps, read_document
from rynek.web.api.call import Call
from rynek.web.api.parameters import PARAMETERS
from rynek.web.api.params import ANY

_TEXTS: Final = (
    "q", "scopeQ", "lang", "csf", "join", "expandValues", "jsonKeys", "entityMapLifetime",
)  # fmt: skip
_FLAGS: Final = ("entityMap", "splitEntities")
_LEVEL: Final = "joinLevel"
_MAX_SELECTORS: Final = 100
_LISTS: Final = ("attrs", "pick", "omit", "datasetId", "containedBy")
_MEMBERS: Final = frozenset(
    (*_TEXTS, *_FLAGS, *_LISTS, _LEVEL, "id", "type", "@context", "entities", "geoQ", "ordering",
     "temporalQ", "aggrParams")
)  # fmt: skip
_MISPLACED: Final = frozenset(
    name.lower() for name in (*_MEMBERS, *(row.name for row in PARAMETERS), "options", "format")
)
_TEMPORAL: Final = ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN",
                    "aggrMethods", "aggrPeriodDuration")  # fmt: skip


async def take_query(call: Call, *, temporal: bool) -> None:
    """Put what the body asks for into the call's parameters and @context.

    BadRequestData when it is no Query, or has a temporal query where none belongs or lacks one.
    """
    document, ld = await read_document(call)
    if document.get("type") != "Query":
        raise BadRequestData('the body must be of type "Query"')
    params = query_params(document)
    if temporal:
        params |= temporal_params(document)
        if params.get("join", "@none") != "@none":
            raise BadRequestData("join: the past has no linked entities (§5.7.4.4)")
    elif "temporalQ" in document or "aggrParams" in document:
        raise BadRequestData("temporalQ is for /temporal/entityOperations/query")
    call.ld = ld
    call.url_params = call.params
    call.params = call.params | params


def query_params(document: dict[str, Any]) -> dict[str, str]:
    """The members of a Query as the parameters that say the same."""
    null = null_inside({name: document[name] for name in document.keys() & _MEMBERS - {"@context"}})
    if null is not None:
        raise BadRequestData(f"{null[1:]}: null is not a value (§5.2.1)")
    for name in document.keys() - _MEMBERS:
        _refuse_parameter(name)
    params: dict[str, str] = {}
    if "entities" in document:
        params |= _selectors(document["entities"])
    for name in _LISTS:
        if name in document:
            params[name] = ",".join(_names(name, document[name]))
    for name in _TEXTS:
        if name in document:
            params[name] = _text(name, document[name])
    for name in _FLAGS:
        if name in document:
            if not isinstance(document[name], bool):
                raise BadRequestData(f"{name} must be true or false")
            params[name] = str(document[name]).lower()
    if _LEVEL in document:
        if type(document[_LEVEL]) is not int:
            raise BadRequestData(f"{_LEVEL} must be a number from 1 on")
        params[_LEVEL] = str(document[_LEVEL])
    if "geoQ" in document:
        params |= _geo(document["geoQ"])
    if "ordering" in document:
        params |= _ordering(document["ordering"])
    return params


def _refuse_parameter(name: str) -> None:
    """BadRequestData where a member that no Query has is called like a parameter: what it asks for
    would be passed over in silence. Any other name means nothing, as in JSON-LD."""
    if name.lower() in _MISPLACED:
        raise BadRequestData(
            f"a Query has no member {name[:60]!r}: an order stands in ordering, a place in geoQ, "
            "times in temporalQ, pages and forms in the URL (§5.2.23)"
        )


def _ordering(ordering: Any) -> dict[str, str]:
    """OrderingParams (§5.2.43)."""
    if not isinstance(ordering, dict) or "orderBy" not in ordering:
        raise BadRequestData("ordering must be an object with orderBy")
    params = {"orderBy": ",".join(_names("orderBy", ordering["orderBy"]))}
    if "collation" in ordering:
        params["collation"] = _text("collation", ordering["collation"])
    if "geometry" in ordering:
        params["orderGeometry"] = _text("geometry", ordering["geometry"])
    if "coordinates" in ordering:
        params["orderFrom"] = _coordinates(ordering["coordinates"])
    return params


def _coordinates(given: Any) -> str:
    """A JSON array, or the same as text (§4.7.1)."""
    return given if isinstance(given, str) else dumps(given).decode()


def _names(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) and v for v in value):
        raise BadRequestData(f"{name} must be a non-empty array of non-empty strings")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequestData(f"{name} must be a string")
    return value


def _geo(geo: Any) -> dict[str, str]:
    """GeoQuery (§5.2.13)."""
    if not isinstance(geo, dict):
        raise BadRequestData("geoQ must be an object")
    for name in ("georel", "geometry", "coordinates"):
        if name not in geo:
            raise BadRequestData(f"geoQ has no {name}")
    params = {
        name: _text(name, geo[name])
        for name in ("georel", "geometry", "geoproperty")
        if name in geo
    }
    if "coordinates" in geo:
        params["coordinates"] = _coordinates(geo["coordinates"])
    return params


def temporal_params(document: dict[str, Any]) -> dict[str, str]:
    """TemporalQuery (§5.2.21) and AggregationParams (§5.2.44)."""
    params: dict[str, str] = {}
    for part in ("temporalQ", "aggrParams"):
        given = document.get(part, {})
        if not isinstance(given, dict):
            raise BadRequestData(f"{part} must be an object")
        for name in _TEMPORAL:
            value = given.get(name)
            if isinstance(value, list):
                params[name] = ",".join(_names(name, value))
            elif value is not None:
                params[name] = str(value)
    return params


def _selectors(selectors: Any) -> dict[str, str]:
    """EntitySelector (§5.2.33): type, and id or (where there is none) idPattern."""
    if not isinstance(selectors, list) or not selectors:
        raise BadRequestData("entities must be a non-empty array of selectors")
    if len(selectors) > _MAX_SELECTORS:
        raise TooComplexQuery(f"entities has more than {_MAX_SELECTORS} selectors")
    found = [_selector(one) for one in selectors]
    if len(found) == 1:
        return found[0]
    kinds = [one["type"] for one in found]
    params = {"type": ANY if ANY in kinds else ",".join(f"({kind})" for kind in kinds)}
    if any(len(one) > 1 for one in found):
        params["selectors"] = dumps(found).decode()
    return params


def _selector(one: Any) -> dict[str, str]:
    if not isinstance(one, dict) or "type" not in one:
        raise BadRequestData("each selector in entities needs a type")
    found = {"type": _text("type", one["type"])}
    pattern = _text("idPattern", one["idPattern"]) if "idPattern" in one else None
    if "id" in one:
        ids = [one["id"]] if isinstance(one["id"], str) else one["id"]
        found["id"] = ",".join(_names("id", ids))
    elif pattern is not None:
        found["idPattern"] = pattern
    return found
