"""NGSI-LD documents → entities, fragments and attributes (CIM 009 §4.5, §5.5.4, §5.5.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.context.formats.instances import MAX_ATTRIBUTES, MAX_DEPTH, Reader, Stored
from rynek.context.formats.members import GEO_ATTRIBUTES
from rynek.context.formats.short import short_entity, short_instances
from rynek.context.formats.values import Invalid, moment, name_iri, shown, uri
from rynek.context.jsonld import CompiledContext
from rynek.context.model import NULL, VALUE_MEMBER, Entity, Instance

__all__ = [
    "MAX_ATTRIBUTES",
    "MAX_DEPTH",
    "Fragment",
    "is_null",
    "parse_attribute",
    "parse_entity",
    "parse_fragment",
    "parse_moment",
    "parse_partial",
]

MAX_TYPES: Final = 100
_IGNORED: Final = frozenset(("@context", "createdAt", "modifiedAt", "deletedAt"))


class Fragment(msgspec.Struct):
    """What a body without an entity's identity says: append, update, merge (CIM 009 §5.5.8).

    Members that the body does not have are None; `expires_at` and `scopes` hold NGSI-LD Null
    (`NULL`, `[NULL]`) where the body deletes them. With `partial`, an instance's `value` may be
    `msgspec.UNSET` and its `kind` empty: the body only touches other members.
    """

    attrs: dict[str, list[Instance]]
    id: str | None = None
    types: list[str] | None = None
    scopes: list[str] | None = None
    expires_at: str | None = None


def parse_entity(doc: Any, ctx: CompiledContext, *, now: int, lenient: bool = False) -> Entity:
    """One entity from a normalized or concise document (already parsed JSON).

    `now` (epoch µs) becomes every createdAt and modifiedAt. `lenient`: also a simplified one, and
    more that the standard does not let pass (see Reader). BadRequestData names the attribute's
    path. "@context" in the document is the caller's to resolve; it is read over here.
    """
    fragment = _read(doc, Reader(ctx, now, lenient=lenient))
    if fragment.id is None:
        raise BadRequestData("the entity has no id")
    if fragment.types is None:
        raise BadRequestData("the entity has no type")
    return Entity(
        fragment.id,
        fragment.types,
        fragment.attrs,
        fragment.scopes,
        fragment.expires_at,
        now,
        now,
    )


def parse_fragment(
    doc: Any,
    ctx: CompiledContext,
    *,
    now: int,
    allow_null: bool = False,
    partial: bool = False,
    simplified: bool = False,
    lenient: bool = False,
    stored: Stored | None = None,
    lang: str | None = None,
) -> Fragment:
    """The body of an append, update or merge: like an entity, id and type may be absent.

    `allow_null`: the NGSI-LD Null is legal and means "delete". `partial`: instances may lack
    their value member. `simplified`: the body is in simplified form (options=keyValues), so an
    object without a value member is a value. `lenient`: see Reader. `stored`: an instance of an attribute (by IRI) that
    the entity has, so that a bare value stays of its kind. `lang`: the language of bare texts for
    LanguageProperties.
    """
    reader = Reader(
        ctx,
        now,
        nulls=allow_null,
        deep_nulls=allow_null and partial,
        partial=partial,
        simplified=simplified,
        lenient=lenient,
        stored=stored,
        lang=lang,
    )
    return _read(doc, reader)


def parse_attribute(
    doc: Any, ctx: CompiledContext, *, now: int, name: str = "", iri: str = ""
) -> list[Instance]:
    """All instances of one attribute given as a complete value (PUT of an attribute)."""
    return _attribute(doc, Reader(ctx, now), name, iri)


def _attribute(doc: Any, reader: Reader, name: str, iri: str) -> list[Instance]:
    try:
        instances = reader.attribute(iri, doc, 0)
        if iri in GEO_ATTRIBUTES:
            check_place(instances)
    except Invalid as error:
        short = with_short_names(doc, reader, short_instances, error, name)
        return _attribute(short, reader, name, iri)
    return instances


def parse_partial(
    doc: Any,
    ctx: CompiledContext,
    *,
    now: int,
    name: str = "",
    iri: str = "",
    before: Instance | None = None,
) -> Instance:
    """The body of a partial attribute update (§5.6.4): only the members that it has.

    `value` is `msgspec.UNSET` when absent and `kind` is empty when nothing tells it (then that
    of `before`, an instance that the entity has). The NGSI-LD Null is legal.
    """
    reader = Reader(ctx, now, nulls=True, partial=True)
    if type(doc) is not dict:
        raise BadRequestData("a partial update is about one instance")
    return _partial(doc, reader, name, iri, before)


def _partial(
    doc: dict[str, Any], reader: Reader, name: str, iri: str, before: Instance | None
) -> Instance:
    try:
        return reader.instance(iri, doc, 0, before)
    except Invalid as error:
        short = with_short_names(doc, reader, short_instances, error, name)
    return _partial(short, reader, name, iri, before)


def parse_moment(member: str, value: Any) -> str:
    """A DateTime in UTC (§4.6.3); BadRequestData when it is none."""
    try:
        return moment(member, value)
    except Invalid as error:
        raise error.problem() from None


def is_null(instance: Instance) -> bool:
    """Whether an instance of a fragment says "delete" (§4.5.0): its value is the NGSI-LD Null."""
    return bool(instance.value == NULL)


def with_short_names(
    doc: Any,
    reader: Reader,
    shorten: Callable[[Any, CompiledContext], Any],
    error: Invalid,
    name: str,
) -> Any:
    """What could not be read, with short names: it is read again, but once. BadRequestData, about
    the attribute `name`, where there is nothing to shorten."""
    short = doc if reader.again else shorten(doc, reader.ctx)
    if short is doc:
        if name:
            error.path.append(name[:80])
        raise error.problem() from None
    reader.again = True
    return short


def _read(doc: Any, reader: Reader) -> Fragment:
    if type(doc) is not dict:
        raise BadRequestData("not a JSON object")
    if len(doc) > MAX_ATTRIBUTES:
        raise BadRequestData(f"more than {MAX_ATTRIBUTES} attributes")
    attrs: dict[str, list[Instance]] = {}
    fragment = Fragment(attrs)
    known = reader.ctx.attributes
    fresh = reader.stored is None
    name = ""
    try:
        for name, raw in doc.items():
            iri = known.get(name)
            if iri is None:
                if name in _MEMBERS:
                    _member(fragment, name, raw, reader)
                    continue
                iri = name_iri(reader.ctx.attribute, "name", name)
            if iri in attrs:
                raise Invalid("stands twice in the document")
            kind = raw.get("type") if type(raw) is dict else None
            if fresh and type(kind) is str and kind in VALUE_MEMBER:
                attrs[iri] = [reader.full(iri, kind, VALUE_MEMBER[kind], raw, 0)]
            else:
                attrs[iri] = reader.attribute(iri, raw, 0)
            if kind != "GeoProperty" and iri in GEO_ATTRIBUTES and not reader.lenient:
                check_place(attrs[iri])
    except Invalid as error:
        return _read(with_short_names(doc, reader, short_entity, error, name), reader)
    return fragment


def check_place(instances: list[Instance]) -> None:
    """Location, observationSpace and operationSpace are GeoProperties (Table 5.2.4-1)."""
    for one in instances:
        if one.kind not in ("GeoProperty", "") and one.value != NULL:
            raise Invalid(f"is a GeoProperty, not a {one.kind}")


_MEMBERS: Final = _IGNORED | {"id", "@id", "type", "@type", "scope", "expiresAt"}


def _member(fragment: Fragment, name: str, raw: Any, reader: Reader) -> None:
    if name in {"id", "@id"}:
        given = uri("id", raw)
        if given == NULL:
            raise Invalid("the NGSI-LD Null is no id")
        if fragment.id is not None and fragment.id != given:
            raise Invalid("id and @id differ")
        fragment.id = given
    elif name in {"type", "@type"}:
        types = read_types(raw, reader.ctx)
        if fragment.types is not None and fragment.types != types:
            raise Invalid("type and @type differ")
        fragment.types = types
    elif name == "scope":
        fragment.scopes = read_scopes(raw, nulls=reader.nulls)
    elif name == "expiresAt":
        fragment.expires_at = moment(name, raw, nulls=reader.nulls, zones=reader.lenient)


def read_types(raw: Any, ctx: CompiledContext) -> list[str]:
    """The member `type`: one name or several, expanded, each once; Invalid when it is none."""
    if type(raw) is str and raw in ctx.types and raw != NULL:
        return [ctx.types[raw]]
    if raw == NULL or (type(raw) is list and NULL in raw):
        raise Invalid("types are only ever added, never deleted")
    if type(raw) is str:
        return [name_iri(ctx.entity_type, "type", raw)]
    if type(raw) is not list or not raw or len(raw) > MAX_TYPES:
        raise Invalid(f"not the name of a type, nor an array of 1 to {MAX_TYPES}")
    return list(dict.fromkeys(name_iri(ctx.entity_type, "type", item) for item in raw))


def read_scopes(raw: Any, *, nulls: bool) -> list[str]:
    """Scopes (§4.18): levels of letters, digits and underscores, separated by slashes; each
    begins with a letter."""
    scopes = raw if type(raw) is list else [raw]
    if nulls and scopes == [NULL]:
        return scopes
    if not scopes or len(scopes) > MAX_TYPES:
        raise Invalid(f"not a scope, nor an array of 1 to {MAX_TYPES}")
    for scope in scopes:
        levels = scope.removeprefix("/").split("/") if type(scope) is str else [""]
        if not all(level[:1].isalpha() and level.replace("_", "a").isalnum() for level in levels):
            raise Invalid(f"not a scope: {shown(scope)}")
    return list(dict.fromkeys(scopes))
