"""EntityTemporal documents and fragments → instances by attribute (CIM 009 §4.5.6 - §4.5.9, §5.2.20)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.base.geo import GEOMETRY_TYPES
from rynek.context.formats.instances import MAX_INSTANCES, Reader
from rynek.context.formats.members import GEO_ATTRIBUTES, KIND_OF, are_instances
from rynek.context.formats.parse import check_place, read_scopes, read_types, with_short_names
from rynek.context.formats.short import short_entity
from rynek.context.formats.values import NONE, Invalid, moment, name_iri, shown, uri
from rynek.context.jsonld import CompiledContext
from rynek.context.model import NULL, SCOPE, VALUE_MEMBER, Instance

__all__ = ["SERIES_MEMBER", "TemporalFragment", "parse_temporal", "parse_temporal_instance"]

# Kind of attribute → the member of its simplified temporal representation (§4.5.9).
SERIES_MEMBER: Final[dict[str, str]] = {
    "Property": "values",
    "GeoProperty": "values",
    "Relationship": "objects",
    "LanguageProperty": "languageMaps",
    "JsonProperty": "jsons",
    "VocabProperty": "vocabs",
    "ListProperty": "valueLists",
    "ListRelationship": "objectLists",
}
_KIND_OF_SERIES: Final = {
    member: kind for kind, member in SERIES_MEMBER.items() if kind != "GeoProperty"
}
_WRAPPED: Final = frozenset(("LanguageProperty", "JsonProperty", "VocabProperty"))
_LISTS: Final = frozenset(("valueList", "objectList"))
_IGNORED: Final = frozenset(("@context", "createdAt", "modifiedAt", "deletedAt", "expiresAt"))
_SCOPE_MEMBERS: Final = frozenset(
    ("type", "value", "observedAt", "createdAt", "modifiedAt", "deletedAt", "instanceId")
)


class TemporalFragment(msgspec.Struct):
    """What a body of a temporal operation says: any number of instances of each attribute (IRI).

    An instance whose value is the NGSI-LD Null says that the attribute was deleted, at its
    `observed_at`. Scopes are the attribute `SCOPE`.
    """

    attrs: dict[str, list[Instance]]
    id: str | None = None
    types: list[str] | None = None


def parse_temporal(doc: Any, ctx: CompiledContext) -> TemporalFragment:
    """An EntityTemporal or a fragment of one, normalized, concise or simplified (§4.5.9).

    BadRequestData names the attribute's path. "@context" is the caller's to resolve.
    """
    if type(doc) is not dict:
        raise BadRequestData("not a JSON object")
    return _fragment(doc, Reader(ctx, 0))


def _fragment(doc: dict[str, Any], reader: Reader) -> TemporalFragment:
    fragment = TemporalFragment({})
    name = ""
    try:
        for name, raw in doc.items():
            _member(fragment, name, raw, reader)
    except Invalid as error:
        return _fragment(with_short_names(doc, reader, short_entity, error, name), reader)
    return fragment


def parse_temporal_instance(doc: Any, ctx: CompiledContext, name: str) -> Instance:
    """The one instance of the attribute `name` that replaces another (§5.6.14.3): a fragment with
    that attribute alone, or the bare instance."""
    if type(doc) is not dict:
        raise BadRequestData("not a JSON object")
    body = {member: item for member, item in doc.items() if member not in _IGNORED}
    kind = body.get("type")
    bare = (type(kind) is str and kind in VALUE_MEMBER) or ("type" not in body and _is_bare(body))
    fragment = parse_temporal({name: body} if bare else body, ctx)
    wanted = SCOPE if name == "scope" else ctx.attribute(name)
    instances = fragment.attrs.get(wanted, [])
    if len(fragment.attrs) != 1 or len(instances) != 1:
        raise BadRequestData(f"the body must hold exactly one instance, of {name[:80]}")
    return instances[0]


def _is_bare(body: dict[str, Any]) -> bool:
    """Whether an object without `type` is an instance and not a fragment with attributes."""
    return any(member in body for member in KIND_OF)


def _member(fragment: TemporalFragment, name: str, raw: Any, reader: Reader) -> None:
    if name in {"id", "@id"}:
        fragment.id = uri("id", raw)
    elif name in {"type", "@type"}:
        fragment.types = read_types(raw, reader.ctx)
    elif name == "scope":
        fragment.attrs[SCOPE] = _scopes(raw)
    elif name not in _IGNORED:
        iri = reader.ctx.attributes.get(name) or name_iri(reader.ctx.attribute, "name", name)
        if iri in fragment.attrs:
            raise Invalid("stands twice in the document")
        fragment.attrs[iri] = _attribute(iri, raw, reader)
        if iri in GEO_ATTRIBUTES:
            check_place(fragment.attrs[iri])


def _attribute(iri: str, raw: Any, reader: Reader) -> list[Instance]:
    items = raw if type(raw) is list and raw and _are_instances(raw) else [raw]
    if items is not raw and type(raw) is list:
        _check_no_kind(raw)
    if len(items) > MAX_INSTANCES:
        raise Invalid(f"more than {MAX_INSTANCES} instances")
    return [one for item in items for one in _instances(iri, item, reader)]


def _are_instances(raw: list[Any]) -> bool:
    return are_instances(raw) or all(type(item) is dict and _series_member(item) for item in raw)


def _check_no_kind(raw: list[Any]) -> None:
    """Objects that say a type but are no instances: an array is a value only without (§5.2.20)."""
    for item in raw:
        kind = item.get("type") if type(item) is dict else None
        if type(kind) is str and kind not in GEOMETRY_TYPES:
            raise Invalid(f"{shown(kind)} is not a type of attribute with its value")


def _series_member(raw: dict[str, Any]) -> str | None:
    """The member that makes an object the simplified form of a series; None where it is not."""
    for member in _KIND_OF_SERIES:
        if type(raw.get(member)) is list and not raw.keys() - {"type", "datasetId", member}:
            return member
    return None


def _instances(iri: str, raw: Any, reader: Reader) -> list[Instance]:
    if type(raw) is not dict:
        return reader.attribute(iri, raw, 0)
    member = _series_member(raw)
    if member is not None:
        return _series(raw, member, reader)
    gone = _deletion(raw)
    return [reader.instance(iri, raw, 0) if gone is None else gone]


def _deletion(raw: dict[str, Any]) -> Instance | None:
    """The instance that says that the attribute was deleted (§4.5.7); None where it does not."""
    for member, kind in KIND_OF.items():
        value = raw.get(member)
        if member in _LISTS and type(value) is list and len(value) == 1:
            value = value[0].get("object") if type(value[0]) is dict else value[0]
        if member in raw and value in (NULL, {NONE: NULL}):
            named = _kind(raw, kind, VALUE_MEMBER, member)
            dataset = raw.get("datasetId", NONE)
            when = raw.get("deletedAt", raw.get("observedAt"))
            return Instance(
                named,
                NULL,
                dataset_id=None if dataset == NONE else uri("datasetId", dataset),
                observed_at=None if when is None else moment("deletedAt", when),
            )
    return None


def _kind(raw: dict[str, Any], default: str, members: dict[str, str], member: str) -> str:
    """The kind that an object has by its `type`, which must go with its member."""
    kind = raw.get("type", default)
    if type(kind) is not str or members.get(kind) != member:
        raise Invalid(f"a {str(kind)[:80]} has no member {member!r}")
    return kind


def _series(raw: dict[str, Any], member: str, reader: Reader) -> list[Instance]:
    """The simplified form: [value, time] pairs, for one dataset (§4.5.9)."""
    kind = _kind(raw, _KIND_OF_SERIES[member], SERIES_MEMBER, member)
    pairs = raw[member]
    if len(pairs) > MAX_INSTANCES:
        raise Invalid(f"more than {MAX_INSTANCES} instances")
    found = []
    for pair in pairs:
        if type(pair) is not list or len(pair) != 2:
            raise Invalid(f"{member} holds no [value, time] pair")
        value, time = pair
        inner = VALUE_MEMBER[kind]
        if kind in _WRAPPED and type(value) is dict and value.keys() == {inner}:
            value = value[inner]
        item = {"type": kind, inner: value, "observedAt": time}
        if "datasetId" in raw:
            item["datasetId"] = raw["datasetId"]
        found += _instances("", item, reader)
    return found


def _scopes(raw: Any) -> list[Instance]:
    """Scopes as in §4.5.1, or as a temporal representation of a Property (§4.5.6)."""
    if type(raw) is dict:
        raw = [raw]
    if type(raw) is not list or not all(type(item) is dict for item in raw):
        scopes = read_scopes(raw, nulls=False)
        return [_scope(scopes, None)] if scopes else []
    found = []
    for item in raw:
        if item.get("type", "Property") != "Property":
            raise Invalid("a scope is a Property")
        member = _series_member(item)
        if member is not None:
            pairs = [one if type(one) is list else [] for one in item[member]]
            if any(len(pair) != 2 for pair in pairs):
                raise Invalid(f"{member} holds no [value, time] pair")
            found += [_scope(read_scopes(v, nulls=True), moment("time", at)) for v, at in pairs]
            continue
        unknown = item.keys() - _SCOPE_MEMBERS
        if unknown:
            raise Invalid(f"an instance of a scope has no member {min(unknown)[:80]!r}")
        when = item.get("deletedAt", item.get("observedAt"))
        scopes = read_scopes(item.get("value"), nulls=True)
        found.append(_scope(scopes, None if when is None else moment("observedAt", when)))
    return found


def _scope(scopes: list[str], observed_at: str | None) -> Instance:
    value: Any = scopes[0] if len(scopes) == 1 else scopes
    return Instance("Property", value, observed_at=observed_at)
