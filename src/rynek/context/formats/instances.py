"""One attribute's JSON → its instances: normalized, concise or simplified (CIM 009 §4.5.2 - §4.5.24)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rynek.context.formats.values import (
    GEOMETRY_TYPES,
    NONE,
    Invalid,
    check_value,
    moment,
    name_iri,
    refuse_nulls,
    text,
    uri,
)
from rynek.context.jsonld import CompiledContext
from rynek.context.model import NGSI_LD, NULL, VALUE_MEMBER, Instance

MAX_DEPTH: Final = 16
MAX_INSTANCES: Final = 10_000
_UNSET: Final = msgspec.UNSET

# The member that gives the kind away where "type" is left out (concise, §4.5.2.3 and siblings).
KIND_OF: Final = {
    "value": "Property",
    "object": "Relationship",
    "languageMap": "LanguageProperty",
    "vocab": "VocabProperty",
    "json": "JsonProperty",
    "valueList": "ListProperty",
    "objectList": "ListRelationship",
}
_KIND_IRIS: Final = {NGSI_LD + kind: kind for kind in VALUE_MEMBER}
# Members that answers carry and that mean nothing in a request: read over, never stored.
_OUTPUT_ONLY: Final = frozenset(
    [
        "createdAt",
        "modifiedAt",
        "deletedAt",
        "instanceId",
        "previousValue",
        "previousObject",
        "previousLanguageMap",
        "previousJson",
        "previousVocab",
        "previousValueList",
        "previousObjectList",
        "lang",
        "entity",
        "entityList",
    ]
)


class Reader:
    """Reads attributes of one document; options hold for all of them.

    `nulls` lets the NGSI-LD Null stand for "delete this" (§4.5.0), `deep_nulls` also inside the
    value of a Property (merge patch only, §5.5.4); `partial` lets the value member be absent
    (UNSET); `simplified` takes an object without a value member for a value; `hints` names, by
    attribute IRI, the kind that a bare value belongs to; `lang` is the language of a bare text
    for a LanguageProperty.
    """

    __slots__ = ("ctx", "deep_nulls", "hints", "lang", "now", "nulls", "partial", "simplified")

    def __init__(
        self,
        ctx: CompiledContext,
        now: int,
        *,
        nulls: bool = False,
        deep_nulls: bool = False,
        partial: bool = False,
        simplified: bool = False,
        hints: dict[str, str] | None = None,
        lang: str | None = None,
    ) -> None:
        self.ctx = ctx
        self.now = now
        self.nulls = nulls
        self.deep_nulls = deep_nulls
        self.lang = lang
        self.partial = partial
        self.simplified = simplified
        self.hints = hints

    def attribute(self, iri: str, raw: Any, depth: int) -> list[Instance]:
        """All instances in `raw`, the value of the attribute's name in the document."""
        if self.hints is not None and depth == 0:
            raw = self._hinted(iri, raw)
        kind = type(raw)
        if kind is dict:
            dataset = raw.get("dataset")
            if dataset is not None and len(raw) == 1 and type(dataset) is dict:
                return self._dataset(iri, dataset, depth)
            return [self.instance(raw, depth)]
        if kind is list and raw and _is_many(raw):
            return self._many(raw, depth)
        if raw is None:
            raise Invalid("null is not a value; to delete, send the NGSI-LD Null in a fragment")
        if raw == NULL and not self.nulls:
            raise Invalid("the NGSI-LD Null is only for fragments")
        return [Instance("Property", raw, created_at=self.now, modified_at=self.now)]

    def instance(self, raw: dict[str, Any], depth: int) -> Instance:
        """One instance from its object."""
        kind: Any = raw.get("type")
        member = VALUE_MEMBER.get(kind) if type(kind) is str else None
        if member is None:
            kind, member = self._infer(raw, kind)
            if member == "":
                return self._bare(kind, raw)
        return self.full(kind, member, raw, depth)

    def full(self, kind: str, member: str, raw: dict[str, Any], depth: int) -> Instance:
        """One instance from its object, whose kind and value member are known."""
        if member not in raw and not self.partial:
            raise Invalid(f"a {kind} needs the member {member!r}")
        value: Any = _UNSET
        dataset = observed = unit = object_type = value_type = expires = subs = None
        for name, item in raw.items():
            if name == member:
                if kind == "Property" and item is not None and item != NULL:
                    if type(item) is dict and not self.deep_nulls:
                        refuse_nulls(item)
                    value = item
                elif self.lang and kind == "LanguageProperty" and type(item) in (str, list):
                    value = item if item == NULL else {self.lang: item}
                else:
                    value = check_value(kind, item, self.ctx, nulls=self.nulls)
            elif name == "type":
                continue
            elif name == "observedAt":
                observed = moment(name, item, nulls=self.nulls)
            elif name == "unitCode":
                unit = text(name, item, nulls=self.nulls)
            elif name == "datasetId":
                dataset = None if item == NONE else uri(name, item)
                if dataset == NULL:
                    raise Invalid("a datasetId cannot be deleted")
            elif name == "objectType":
                object_type = self._object_types(item)
            elif name == "valueType":
                value_type = self._value_type(item)
            elif name == "expiresAt":
                expires = moment(name, item, nulls=self.nulls)
            elif name == "@context":
                raise Invalid("an @context inside of an attribute (§5.5.7)")
            elif name not in _OUTPUT_ONLY:
                subs = self._sub(name, item, {} if subs is None else subs, depth)
        now = self.now
        return Instance(
            kind, value, dataset, observed, unit, object_type, value_type, expires, subs, now, now
        )

    def _sub(
        self, name: str, raw: Any, subs: dict[str, list[Instance]], depth: int
    ) -> dict[str, list[Instance]]:
        if depth >= MAX_DEPTH:
            raise Invalid(f"attributes of attributes nest more than {MAX_DEPTH} deep")
        try:
            iri = self.ctx.subs.get(name) or name_iri(self.ctx.sub_attribute, "name", name)
            if iri in subs:
                raise Invalid("stands twice in the document")
            subs[iri] = self.attribute(iri, raw, depth + 1)
        except Invalid as error:
            error.path.append(name[:80])
            raise
        return subs

    def _infer(self, raw: dict[str, Any], kind: Any) -> tuple[str, str]:
        """Kind and value member of an object whose "type" is absent or no kind of attribute.

        An empty member means that the whole object is the value.
        """
        if isinstance(kind, str):
            named = _KIND_IRIS.get(kind) or (
                _KIND_IRIS.get(self.ctx.expand_term(kind)) if ":" in kind else None
            )
            if named is not None:
                return named, VALUE_MEMBER[named]
            if kind in GEOMETRY_TYPES and "coordinates" in raw:
                return "GeoProperty", ""
        for member, named in KIND_OF.items():
            if member in raw:
                if kind is not None:
                    raise Invalid(f"{str(kind)[:80]!r} is not a type of attribute")
                if member == "value" and is_geometry(raw["value"]):
                    named = "GeoProperty"
                return named, member
        if kind is None and self.partial and not self.simplified:
            return "", "value"
        return "Property", ""

    def _bare(self, kind: str, raw: dict[str, Any]) -> Instance:
        if kind == "Property" and not self.deep_nulls:
            refuse_nulls(raw)
        value = check_value(kind, raw, self.ctx, nulls=self.nulls)
        return Instance(kind, value, created_at=self.now, modified_at=self.now)

    def _hinted(self, iri: str, raw: Any) -> Any:
        kind = self.hints.get(iri) if self.hints else None
        if kind is None or kind in ("Property", "GeoProperty") or raw == NULL:
            return raw
        if type(raw) is dict and (
            not self.simplified or raw.keys() & KIND_OF.keys() or "dataset" in raw
        ):
            return raw
        if kind == "LanguageProperty" and self.lang and type(raw) is not dict:
            raw = {self.lang: raw}
        return {"type": kind, VALUE_MEMBER[kind]: raw}

    def _many(self, raw: list[dict[str, Any]], depth: int) -> list[Instance]:
        if len(raw) > MAX_INSTANCES:
            raise Invalid(f"more than {MAX_INSTANCES} instances")
        instances = [self.instance(item, depth) for item in raw]
        if len({instance.dataset_id for instance in instances}) != len(instances):
            raise Invalid("two instances have the same datasetId, or none")
        return _of_one_kind(instances)

    def _dataset(self, iri: str, raw: dict[str, Any], depth: int) -> list[Instance]:
        """The simplified form of an attribute with several instances: {"dataset": {id: value}}."""
        instances = []
        for dataset, value in raw.items():
            (instance,) = self.attribute(iri, value, depth)
            instance.dataset_id = None if dataset == NONE else uri("datasetId", dataset)
            instances.append(instance)
        if not instances:
            raise Invalid("an attribute without any instance")
        return _of_one_kind(instances)

    def _object_types(self, raw: Any) -> list[str]:
        names = raw if type(raw) is list and raw else [raw]
        return [name_iri(self.ctx.entity_type, "objectType", name) for name in names]

    def _value_type(self, raw: Any) -> str:
        if raw == NULL and self.nulls:
            return NULL
        return name_iri(self.ctx.entity_type, "valueType", raw)


def _of_one_kind(instances: list[Instance]) -> list[Instance]:
    """The instances of one Property, Relationship … (§4.5.2.2); a fragment's may be of unknown kind."""
    if len({instance.kind for instance in instances if instance.kind}) > 1:
        raise Invalid("instances of one attribute are all of one type")
    return instances


def is_geometry(value: Any) -> bool:
    """Whether a JSON value has the shape of a GeoJSON geometry."""
    return (
        type(value) is dict
        and isinstance(value.get("type"), str)
        and value["type"] in GEOMETRY_TYPES
        and "coordinates" in value
    )


def _is_many(raw: list[Any]) -> bool:
    """Whether an array holds instances (then every element has to) or is itself a value."""
    for item in raw:
        if type(item) is not dict:
            return False
        kind = item.get("type")
        if isinstance(kind, str) and kind in VALUE_MEMBER:
            continue
        if kind is not None or not item.keys() & KIND_OF.keys():
            return False
    return True
