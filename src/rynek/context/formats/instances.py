"""One attribute's JSON → its instances: normalized, concise or simplified (CIM 009 §4.5.2 - §4.5.24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.context.formats.members import (
    IGNORED,
    KIND_IRIS,
    KIND_OF,
    KNOWN,
    LANG_STRING,
    METADATA,
    PROOF,
    SEALED,
    TYPED_OBJECTS,
    TYPED_VALUES,
    UNITS,
    are_instances,
    is_geometry,
    is_instance,
)
from rynek.context.formats.short import has_whole_names, refuse_whole
from rynek.context.formats.values import (
    NONE,
    NOT_HERE,
    Invalid,
    check_value,
    moment,
    name_iri,
    shown,
    text,
    uri,
)
from rynek.context.jsonld import CompiledContext
from rynek.context.model import NULL, VALUE_MEMBER, Instance

__all__ = ["KIND_OF", "MAX_DEPTH", "Reader", "Stored", "is_geometry"]

MAX_DEPTH: Final = 16
MAX_INSTANCES: Final = 10_000
MAX_ATTRIBUTES: Final = 5_000
_UNSET: Final = msgspec.UNSET
# Members of an instance that has a value, a type and a time.
_FEW: Final = 3
_SCALARS: Final = frozenset((str, int, float, bool))
_CONTEXT_INSIDE: Final = "an @context inside of an attribute (§5.5.7)"
_OBJECT_VALUED: Final = frozenset(("Property", "JsonProperty", "LanguageProperty"))

Stored = Callable[[str], Instance | None]
"""An instance that the stored entity has of an attribute (by IRI): bare values stay of its kind."""


class Reader:
    """Reads attributes of one document; options hold for all of them.

    `nulls` lets the NGSI-LD Null stand for "delete this" (§4.5.0), `deep_nulls` also inside of a
    value (merge patch only, §5.5.4); `partial` lets the value member be absent (UNSET);
    `simplified` takes an object with an unknown "type" for a value; `lenient` does so too, converts
    times of other zones and lets a place be a plain Property: for documents of feeds and files.
    `stored` tells what the entity has already, where bare values keep its kind; `lang` is the
    language of a bare text for a LanguageProperty. `again`: all names are short by now.
    """

    __slots__ = (
        "again", "ctx", "deep_nulls", "lang", "lenient", "now", "nulls", "partial", "simplified",
        "stored",
    )  # fmt: skip

    def __init__(
        self,
        ctx: CompiledContext,
        now: int,
        *,
        nulls: bool = False,
        deep_nulls: bool = False,
        partial: bool = False,
        simplified: bool = False,
        lenient: bool = False,
        stored: Stored | None = None,
        lang: str | None = None,
    ) -> None:
        self.again = False
        self.ctx = ctx
        self.now = now
        self.nulls = nulls
        self.deep_nulls = deep_nulls
        self.lang = lang
        self.partial = partial
        self.simplified = simplified or lenient
        self.lenient = lenient
        self.stored = stored

    def attribute(self, iri: str, raw: Any, depth: int) -> list[Instance]:
        """All instances in `raw`, the value of the attribute's name in the document."""
        before = None
        if self.stored is not None and depth == 0:
            before = self.stored(iri)
            raw = self._kept(before, raw)
        kind = type(raw)
        if kind is dict:
            dataset = raw.get("dataset")
            if dataset is not None and len(raw) == 1 and type(dataset) is dict:
                return self._dataset(iri, dataset, depth)
            found = [self.instance(iri, raw, depth, before)]
        elif kind is list and raw and are_instances(raw):
            found = self._many(iri, raw, depth)
        else:
            return [self._plain(raw)]
        if self.simplified and before is not None:
            _same_kind(before, found)
        return found

    def _plain(self, raw: Any) -> Instance:
        if raw is None:
            raise Invalid("null is not a value; to delete, send the NGSI-LD Null in a fragment")
        if raw == NULL and not self.nulls:
            raise Invalid(NOT_HERE)
        if type(raw) is list:
            if not self.simplified and not self.again:
                refuse_whole(raw, self.ctx)
            raw = check_value("Property", raw, self.ctx, False, self.deep_nulls)
        return Instance("Property", raw, created_at=self.now, modified_at=self.now)

    def instance(
        self, iri: str, raw: dict[str, Any], depth: int, before: Instance | None = None
    ) -> Instance:
        """One instance from its object."""
        kind: Any = raw.get("type")
        member = VALUE_MEMBER.get(kind) if type(kind) is str else None
        if member is None:
            kind, member = self._infer(raw, before)
            if member == "":
                return self._bare(kind, raw)
        return self.full(iri, kind, member, raw, depth)

    def full(self, iri: str, kind: str, member: str, raw: dict[str, Any], depth: int) -> Instance:
        """One instance from its object, whose kind and value member are known."""
        if member not in raw and not self.partial:
            raise Invalid(f"a {kind} needs the member {member!r}")
        if kind == "Property" and len(raw) <= _FEW and iri != PROOF:
            found = self._reading(raw)
            if found is not None:
                return found
        value: Any = _UNSET
        dataset = observed = unit = object_type = value_type = expires = subs = sealed = None
        for name, item in raw.items():
            if name == member:
                if kind == "Property" and type(item) in _SCALARS and item != NULL:
                    value = item
                elif self.lang and kind == "LanguageProperty" and type(item) is not dict:
                    value = NULL if item == NULL else self._value(kind, {self.lang: item})
                else:
                    value = check_value(kind, item, self.ctx, self.nulls, self.deep_nulls)
            elif name == "type":
                continue
            elif name == "observedAt":
                observed = moment(name, item, nulls=self.nulls, zones=self.lenient)
            elif name == "unitCode" and kind in UNITS:
                unit = text(name, item, nulls=self.nulls)
            elif name == "datasetId":
                dataset = self._dataset_id(item)
            elif name == "objectType" and kind in TYPED_OBJECTS:
                object_type = self._object_types(item)
            elif name == "valueType" and kind in TYPED_VALUES:
                value_type = self._value_type(kind, item)
            elif name == "expiresAt":
                expires = moment(name, item, nulls=self.nulls, zones=self.lenient)
            elif name in IGNORED[kind]:
                continue
            elif name in SEALED and iri == PROOF and kind == "Property":
                sealed = self._sealed(sealed, name, item)
            elif name == "@type":
                self._same_type(kind, raw, item)
            else:
                subs = self._sub(kind, name, item, {} if subs is None else subs, depth)
        if iri == PROOF:
            _check_proof(kind, value)
        now = self.now
        return Instance(
            kind, value, dataset, observed, unit, object_type, value_type, expires, subs,
            now, now, sealed,
        )  # fmt: skip

    def _reading(self, raw: dict[str, Any]) -> Instance | None:
        """What most attributes are, in one step: a plain value and perhaps its time."""
        value = raw.get("value")
        if type(value) not in _SCALARS or value == NULL:
            return None
        now = self.now
        if len(raw) == 1 + ("type" in raw):
            return Instance("Property", value, created_at=now, modified_at=now)
        if "observedAt" not in raw or len(raw) != 2 + ("type" in raw):
            return None
        observed = moment("observedAt", raw["observedAt"], nulls=self.nulls, zones=self.lenient)
        return Instance("Property", value, None, observed, created_at=now, modified_at=now)

    def _value(self, kind: str, item: Any) -> Any:
        return check_value(kind, item, self.ctx, self.nulls, self.deep_nulls)

    def _sub(
        self, kind: str, name: str, raw: Any, subs: dict[str, list[Instance]], depth: int
    ) -> dict[str, list[Instance]]:
        if name == "@context":
            raise Invalid(_CONTEXT_INSIDE)
        if name in KNOWN:
            raise Invalid(f"a {kind or 'attribute'} has no member {name!r}")
        if depth >= MAX_DEPTH:
            raise Invalid(f"attributes of attributes nest more than {MAX_DEPTH} deep")
        if len(subs) >= MAX_ATTRIBUTES:
            raise Invalid(f"more than {MAX_ATTRIBUTES} attributes of an attribute")
        try:
            iri = self.ctx.subs.get(name) or name_iri(self.ctx.sub_attribute, "name", name)
            if iri in subs:
                raise Invalid("stands twice in the document")
            subs[iri] = self.attribute(iri, raw, depth + 1)
        except Invalid as error:
            error.path.append(name[:80])
            raise
        return subs

    def _infer(self, raw: dict[str, Any], before: Instance | None) -> tuple[str, str]:
        """Kind and value member of an object whose "type" is absent or no kind of attribute.

        An empty member means that the whole object is the value.
        """
        kind: Any = raw.get("type")
        if kind is None and "@value" not in raw:
            kind = raw.get("@type")
        if isinstance(kind, str):
            named = self._named(kind)
            if named is not None:
                return named, VALUE_MEMBER[named]
            if is_geometry(raw):
                return "GeoProperty", ""
        if kind is not None:
            if self.simplified and raw.keys().isdisjoint(KIND_OF):
                return "Property", ""
            raise Invalid(f"{shown(kind)} is not a type of attribute")
        for member, named in KIND_OF.items():
            if member in raw:
                return _of_value(named, raw[member], before), member
        if self.partial and not self.simplified and "@value" not in raw:
            if before is None:
                return "", "value"
            return before.kind, VALUE_MEMBER[before.kind]
        return "Property", ""

    def _named(self, kind: str) -> str | None:
        """The kind of attribute that a name or an IRI means."""
        if kind in VALUE_MEMBER:
            return kind
        named = KIND_IRIS.get(kind)
        if named is None and ":" in kind:
            named = KIND_IRIS.get(name_iri(self.ctx.expand_term, "type", kind))
        return named

    def _bare(self, kind: str, raw: dict[str, Any]) -> Instance:
        if "@context" in raw:
            raise Invalid(_CONTEXT_INSIDE)
        if not self.simplified and not self.again:
            refuse_whole(raw, self.ctx)
        value = check_value(kind, raw, self.ctx, False, self.deep_nulls)
        return Instance(kind, value, created_at=self.now, modified_at=self.now)

    def _kept(self, before: Instance | None, raw: Any) -> Any:
        """A value without kind, as an instance of the kind that the attribute has (§5.6.17.4)."""
        if raw == NULL or (type(raw) is list and raw and are_instances(raw)):
            return raw
        if type(raw) is dict and not self._is_value(before, raw):
            return raw
        if type(raw) is list and not self.simplified and not self.again:
            refuse_whole(raw, self.ctx)
        kind = "Property" if before is None else before.kind
        if kind == "Property" and type(raw) is not dict:
            return raw
        if kind == "LanguageProperty" and self.lang and type(raw) is not dict:
            raw = {self.lang: raw}
        return {"type": kind, VALUE_MEMBER[kind]: raw}

    def _is_value(self, before: Instance | None, raw: dict[str, Any]) -> bool:
        """Whether an object without kind is a value; otherwise it is a part of an instance."""
        if is_instance(raw) or (len(raw) == 1 and "dataset" in raw):
            return False
        if self.simplified:
            return before is not None
        if "type" in raw or "@type" in raw or not METADATA.isdisjoint(raw):
            return False
        if has_whole_names(raw, self.ctx):
            return False
        if raw and all(type(item) is dict and is_instance(item) for item in raw.values()):
            return False  # attributes of the attribute
        return before is None or (before.kind in _OBJECT_VALUED and type(before.value) is dict)

    def _many(self, iri: str, raw: list[Any], depth: int) -> list[Instance]:
        if len(raw) > MAX_INSTANCES:
            raise Invalid(f"more than {MAX_INSTANCES} instances")
        instances = []
        for position, item in enumerate(raw):
            try:
                if type(item) is not dict:
                    raise Invalid(f"not an instance: {shown(item)}")
                instances.append(self.instance(iri, item, depth))
            except Invalid as error:
                error.path.append(f"[{position}]")
                raise
        if len({instance.dataset_id for instance in instances}) != len(instances):
            raise Invalid("two instances have the same datasetId, or none")
        return _of_one_kind(instances)

    def _dataset(self, iri: str, raw: dict[str, Any], depth: int) -> list[Instance]:
        """The simplified form of an attribute with several instances: {"dataset": {id: value}}."""
        instances = []
        for dataset, value in raw.items():
            try:
                (instance,) = self.attribute(iri, value, depth)
            except ValueError:
                raise Invalid(f"dataset {shown(dataset)} holds several instances") from None
            instance.dataset_id = self._dataset_id(dataset)
            instances.append(instance)
        if not instances:
            raise Invalid("an attribute without any instance")
        return _of_one_kind(instances)

    def _dataset_id(self, raw: Any) -> str | None:
        if raw == NONE:
            return None
        if raw == NULL:
            raise Invalid("a datasetId cannot be deleted")
        return uri("datasetId", raw)

    def _object_types(self, raw: Any) -> list[str]:
        if raw == NULL and self.nulls:
            return [NULL]
        names = raw if type(raw) is list and raw else [raw]
        return [self._iri("objectType", name) for name in names]

    def _value_type(self, kind: str, raw: Any) -> str:
        if raw == NULL and self.nulls:
            return NULL
        iri = self._iri("valueType", raw)
        if kind == "LanguageProperty" and iri != LANG_STRING:
            raise Invalid(f"the valueType of a LanguageProperty is langString, not {shown(raw)}")
        return iri

    def _iri(self, member: str, raw: Any) -> str:
        if raw == NULL:
            raise Invalid(NOT_HERE)
        return name_iri(self.ctx.entity_type, member, raw)

    def _sealed(self, sealed: dict[str, str] | None, name: str, raw: Any) -> dict[str, str]:
        words = text(name, raw)
        if name == "entityTypeSealed":
            words = name_iri(self.ctx.expand_term, name, words)
        return {**(sealed or {}), name: words}

    def _same_type(self, kind: str, raw: dict[str, Any], given: Any) -> None:
        if kind and "type" in raw and (type(given) is not str or self._named(given) != kind):
            raise Invalid(f"type and @type differ: {kind} and {shown(given)}")


def _of_value(named: str, value: Any, before: Instance | None) -> str:
    """The kind of an instance that has only its value member to tell: a "value" may be a place."""
    if named != "Property":
        return named
    if before is not None and before.kind in ("Property", "GeoProperty"):
        return before.kind
    return "GeoProperty" if is_geometry(value) else named


def _same_kind(before: Instance, found: list[Instance]) -> None:
    """A simplified body may not change the type of an attribute (Table 6.5.3.4-1)."""
    for one in found:
        if one.kind and one.kind != before.kind and one.value != NULL:
            raise Invalid(f"it is a {before.kind} and cannot become a {one.kind}")


def _check_proof(kind: str, value: Any) -> None:
    """The ngsildproof of an attribute is a Property whose value is an object (§4.5.2.2)."""
    if kind not in ("Property", ""):
        raise Invalid(f"ngsildproof is a Property, not a {kind}")
    if value is not _UNSET and value != NULL and type(value) is not dict:
        raise Invalid("the value of ngsildproof is not an object")


def _of_one_kind(instances: list[Instance]) -> list[Instance]:
    """The instances of one Property, Relationship … (§4.5.2.2); a fragment's may be of unknown kind."""
    if len({instance.kind for instance in instances if instance.kind}) > 1:
        raise Invalid("instances of one attribute are all of one type")
    return instances
