"""Query parameters of the NGSI-LD API → values (CIM 009 §6.3, §6.4)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec

from rynek.base.errors import (
    BadRequestData,
    InvalidRequest,
    TooManyResults,
)
from rynek.base.ids import is_uri
from rynek.base.typed import decode
from rynek.context import (
    CompiledContext,
    Projection,
    Query,
    Selector,
    TypeExpr,
    View,
    parse_attrs,
    parse_geo,
    parse_projection,
    parse_q,
    parse_scope,
    parse_types,
)
from rynek.web.api.call import GEO_JSON, Call
from rynek.web.api.parameters import Allowed

ANY: Final = "*"
MAX_QUERY_BYTES: Final = 64 * 1024
_MAX_IDS: Final = 1000
_MEMORY: Final = 2048
# Longer query strings are taken apart each time, so that what is kept stays within a few MB.
_KEPT_BYTES: Final = 2048
_KEPT_OF_ONE: Final = 8
_KEPT_TYPES_BYTES: Final = 256
_FORMS: Final = {
    "normalized": "normalized",
    "concise": "concise",
    "keyValues": "simplified",
    "simplified": "simplified",
}
# Parameters that ask for more than the stored entities themselves, see reading.py.
_BEYOND: Final = frozenset(
    ("join", "joinLevel", "containedBy", "entityMap", "entityMapLifetime", "orderBy", "orderFrom",
     "orderGeometry", "collation", "csf", "splitEntities", "jsonKeys")
)  # fmt: skip


def parse_query_string(raw: bytes) -> dict[str, str]:
    """Decoded parameters; the last one wins where a name repeats. Nothing between two `&`, or after
    the last, is nothing, as in every form."""
    if not raw:
        return {}
    if len(raw) > MAX_QUERY_BYTES:
        raise InvalidRequest(f"the query string is longer than {MAX_QUERY_BYTES} bytes")
    params: dict[str, str] = {}
    for pair in raw.decode("latin-1").split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if "%" in value or "+" in value:
            value = unquote_plus(value)
        params[unquote_plus(name) if "%" in name else name] = value
    return params


class Params(dict[str, str]):
    """Decoded parameters that are kept for the next request with the same query string: never
    changed. `asked` is what handlers have made of them, for as long; `raw` is that string."""

    __slots__ = ("asked", "raw")

    def __init__(self, raw: bytes) -> None:
        super().__init__(parse_query_string(raw))
        self.raw = raw
        self.asked: dict[object, Any] = {}

    def keep(self, key: object, made: object) -> None:
        """Remember what was made; few keys belong to one query string, whatever clients send."""
        if len(self.asked) >= _KEPT_OF_ONE:
            self.asked.clear()
        self.asked[key] = made


class ParamsMemory:
    """Query strings that came before, taken apart and checked; the oldest go first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, bytes], Params] = OrderedDict()

    def read(self, raw: bytes, takes: Allowed) -> dict[str, str]:
        """The parameters of an operation that `takes` those; InvalidRequest for others (§6.3.20).

        `takes` lives as long as the service.
        """
        key = (id(takes), raw)
        params = self._known.get(key)
        if params is None:
            params = Params(raw)
            takes.check(params)
            if len(raw) <= _KEPT_BYTES:
                self._known[key] = params
                if len(self._known) > _MEMORY:
                    self._known.popitem(last=False)
        return params


class Paging(msgspec.Struct):
    """Which page of the result: `limit` entities from `offset`; `count` asks for the total."""

    limit: int
    offset: int
    count: bool


def paging(params: dict[str, str], default: int, most: int) -> Paging:
    """limit, offset and count (§6.3.10, §6.3.13)."""
    # options=count is how earlier versions of the standard asked for it.
    count = flag(params, "count") or "count" in params.get("options", "").split(",")
    limit = number(params, "limit", default)
    if limit > most:
        raise TooManyResults(f"limit is {limit}, at most {most} are sent at once")
    if limit == 0 and not count:
        raise BadRequestData("limit=0 needs count=true")
    return Paging(limit, number(params, "offset", 0), count)


def number(params: dict[str, str], name: str, default: int) -> int:
    """A non-negative integer parameter."""
    text = params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequestData(f"{name} must be a number from 0 on, it is {text[:40]!r}")
    return int(text)


def flag(params: dict[str, str], name: str) -> bool:
    """A boolean parameter, false when absent."""
    text = params.get(name, "false")
    if text not in ("true", "false"):
        raise BadRequestData(f"{name} must be true or false, it is {text[:40]!r}")
    return text == "true"


_queries: OrderedDict[tuple[object, ...], Query] = OrderedDict()
_QUERY_NAMES: Final = (
    "type", "id", "idPattern", "attrs", "q", "georel", "geometry", "coordinates", "geoproperty",
    "scopeQ", "expandValues", "selectors",
)  # fmt: skip


def entity_query(params: dict[str, str], ld: CompiledContext, links: int = 0) -> Query:
    """The filter of Query Entities (§5.7.2), whose `q` may follow relationships `links` deep;
    parsed queries are remembered."""
    key = (ld.id, links, *[params.get(name) for name in _QUERY_NAMES])
    query = _queries.get(key)
    if query is None:
        query = _parse(params, ld, links)
        if sum(len(one) for one in key if isinstance(one, str)) > _KEPT_BYTES:
            return query
        _queries[key] = query
        if len(_queries) > _MEMORY:
            _queries.popitem(last=False)
    return query


def _parse(params: dict[str, str], ld: CompiledContext, links: int) -> Query:
    expand = ld.expand_term
    ids = params.get("id")
    types = params.get("type")
    attrs = params.get("attrs")
    q = params.get("q")
    scope = params.get("scopeQ")
    return Query(
        ids=_ids(ids) if ids is not None else None,
        id_pattern=params.get("idPattern"),
        types=_types_of(types, ld),
        attrs=parse_attrs(attrs, expand) if attrs else [],
        q=(
            parse_q(q, expand, params.get("expandValues", "").split(","), links)
            if q is not None
            else None
        ),
        geo=parse_geo(
            params.get("georel"),
            params.get("geometry"),
            params.get("coordinates"),
            params.get("geoproperty"),
            expand,
        ),
        # "+" is the wildcard of one level, and a blank where a form encoded it.
        scope=parse_scope(scope.replace(" ", "+")) if scope is not None else None,
        selectors=_selectors(params["selectors"], expand) if "selectors" in params else (),
    )


def _types(text: str | None, expand: Callable[[str], str]) -> TypeExpr | None:
    return parse_types(text, expand) if text not in (None, ANY) else None


_known_types: dict[tuple[str, str], TypeExpr] = {}


def _types_of(text: str | None, ld: CompiledContext) -> TypeExpr | None:
    """The type expression; few are asked for again and again, whatever else a query says."""
    if text is None or text == ANY:
        return None
    key = (ld.id, text)
    known = _known_types.get(key)
    if known is None:
        known = parse_types(text, ld.expand_term)
        if len(text) <= _KEPT_TYPES_BYTES:
            if len(_known_types) >= _MEMORY:
                _known_types.clear()
            _known_types[key] = known
    return known


def _selectors(text: str, expand: Callable[[str], str]) -> tuple[Selector, ...]:
    """The selectors that query_body.py puts here, where there are several."""
    given = decode(text, list[dict[str, str]])
    return tuple(
        Selector(
            _types(one["type"], expand),
            frozenset(_ids(one["id"])) if "id" in one else None,
            one.get("idPattern"),
        )
        for one in given
    )


def _ids(text: str) -> list[str]:
    ids = [one for one in text.split(",") if one]
    if not ids or len(ids) > _MAX_IDS:
        raise BadRequestData(f"id must list 1 to {_MAX_IDS} URIs")
    for one in ids:
        if not is_uri(one):
            raise BadRequestData(f"id: {one[:100]!r} is not a URI")
    return ids


def require_filter(params: dict[str, str], query: Query) -> None:
    """§5.7.2.4: a query by neither type, attribute nor place is refused as too wide, unless it is
    about local entities; ids and scopes alone do not narrow it."""
    local = "local" in params and flag(params, "local")
    kind = params.get("type")
    if kind:
        if kind == "*" and not local and "local" in params:
            raise BadRequestData("type=* is for local entities, local=false contradicts it")
        return
    if not query.names_attribute and not local:
        raise BadRequestData("at least one of type, attrs, q, georel or local=true is needed")


def is_beyond(call: Call) -> bool:
    """Whether a read asks for more than the stored entities, so that it leaves the fast path."""
    return not _BEYOND.isdisjoint(call.params) or "ngsild-entitymap" in call.headers


def types_wanted(params: dict[str, str], ld: CompiledContext) -> TypeExpr | None:
    """The selector of entity types that an operation on one entity may carry (§4.17)."""
    text = params.get("type")
    return parse_types(text, ld.expand_term) if text else None


_SHOWN: Final[tuple[str, ...]] = ("attrs", "pick", "omit", "lang")


def view_of(call: Call, links: int = 0) -> View:
    """How the client wants entities shown (§6.3.7, §6.3.11, §4.21, §4.15), and those that
    relationships lead to, `links` deep."""
    params = call.params
    if not params:
        return PLAIN
    options = call.options
    form = "normalized"
    for word in options:
        if word in _FORMS:
            form = _FORMS[word]
        elif word not in ("sysAttrs", "count"):
            raise BadRequestData(f"options/format: {word[:40]!r} is not known here")
    form = _FORMS.get(params.get("format", ""), form)  # format wins over options (§6.3.7)
    names = {name: params[name] for name in _SHOWN if name in params}
    dataset = _datasets(params["datasetId"]) if "datasetId" in params else None
    if not names and dataset is None and form == "normalized" and "sysAttrs" not in options:
        return PLAIN
    expand = call.ld.expand_term
    pick = _projected("pick", names, call.ld, links)
    omit = _projected("omit", names, call.ld, links)
    return View(
        form=form,  # type: ignore[arg-type]
        sys_attrs="sysAttrs" in options,
        attrs=parse_attrs(names["attrs"], expand) if names.get("attrs") else None,
        pick=pick.members | pick.attrs if pick else None,
        omit=omit.members | (omit.attrs - omit.linked.keys()) if omit else None,
        lang=names.get("lang"),
        dataset_ids=dataset,
        pick_linked=pick.linked if pick else {},
        omit_linked=omit.linked if omit else {},
    )


def entity_view(call: Call, links: int = 0) -> View:
    """The same for what may be GeoJSON, but for no other answer with `geometryProperty`
    (§5.7.1.4, §5.7.2.4, §5.14.4.4)."""
    if "geometryProperty" in call.params and call.accept != GEO_JSON:
        raise BadRequestData("geometryProperty: is only for answers in application/geo+json")
    return view_of(call, links)


PLAIN: Final = View()


def _datasets(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name != "@none" and not is_uri(name):
            raise BadRequestData(f"datasetId: {name[:100]!r} is neither a URI nor @none")
    return names


def _projected(
    name: str, given: dict[str, str], ld: CompiledContext, links: int
) -> Projection | None:
    text = given.get(name)
    return parse_projection(name, text, ld.expand_term, links) if text is not None else None


def geometry_property(call: Call) -> str:
    """Which GeoProperty is a GeoJSON feature's geometry (§6.3.15)."""
    return call.ld.expand_term(call.params.get("geometryProperty", "location"))


def entity_id_of(call: Call) -> str:
    """The entity id in the path; BadRequestData when it is no URI."""
    entity_id = call.path_args[0]
    if not is_uri(entity_id):
        raise BadRequestData(f"{entity_id[:200]!r} is not a URI")
    return entity_id


def wants_geojson(call: Call) -> bool:
    """Whether features are asked for."""
    return call.accept == GEO_JSON
