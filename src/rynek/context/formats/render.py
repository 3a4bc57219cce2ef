"""Entities → normalized, concise and simplified documents (CIM 009 §4.5.1 - §4.5.4, §4.15, §4.21)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

import msgspec

from rynek.base.clock import to_iso
from rynek.context.formats.members import KIND_OF, are_instances, is_geometry
from rynek.context.formats.values import NONE
from rynek.context.jsonld import CompiledContext
from rynek.context.language import choose_language
from rynek.context.model import NULL, VALUE_MEMBER, Entity, Instance
from rynek.context.query import Projection

Form = Literal["normalized", "concise", "simplified"]
_LIKE_INSTANCE: Final = frozenset(KIND_OF) | {"dataset"}
# What would make an object that is a value look like something else than a value (§4.5.2.3).
_TYPED_VALUE: Final = frozenset(("@value", "@type", "@language", "@direction"))
_TELLING: Final = _LIKE_INSTANCE | {"type", "@type", "@context"}
_BARE_IN_SIMPLIFIED: Final = frozenset(
    ("Property", "GeoProperty", "Relationship", "ListProperty", "ListRelationship")
)


class View(msgspec.Struct, frozen=True):
    """What of an entity a client wants to see.

    `attrs` and `pick` name what is shown, `omit` what is left out: attribute IRIs, for pick and
    omit also `id`, `type` and `scope`. `lang` is a language range as in Accept-Language (§4.15).
    `dataset_ids` keeps only those instances; `@none` is the default instance. `pick_linked` and
    `omit_linked` say the same of linked entities, by the relationship that leads to them (§4.21).
    """

    form: Form = "normalized"
    sys_attrs: bool = False
    attrs: Collection[str] | None = None
    pick: Collection[str] | None = None
    omit: Collection[str] | None = None
    lang: str | None = None
    dataset_ids: Collection[str] | None = None
    pick_linked: Mapping[str, Projection] = {}
    omit_linked: Mapping[str, Projection] = {}

    def of_linked(self, relationship: str) -> View:
        """How the entities that a relationship (IRI) leads to are shown: as the part in braces
        says, or like the entity itself where there is none."""
        pick, omit = self.pick_linked.get(relationship), self.omit_linked.get(relationship)
        changed: dict[str, Any] = {}
        if pick is not None:
            changed |= {
                "pick": pick.members | pick.attrs,
                "pick_linked": pick.linked,
                "attrs": None,
            }
        if omit is not None:
            omitted = omit.members | (omit.attrs - omit.linked.keys())
            changed |= {"omit": omitted, "omit_linked": omit.linked}
        return msgspec.structs.replace(self, **changed) if changed else self

    def shows(self, member: str) -> bool:
        """Whether `id`, `type`, `scope`, a system time or an attribute (by IRI) is shown."""
        if self.omit is not None and member in self.omit:
            return False
        return self.pick is None or member in self.pick

    def instances(self, attr: str, instances: list[Instance]) -> list[Instance]:
        """The instances of an attribute that are to be shown; empty when it is not."""
        if (self.attrs is not None and attr not in self.attrs) or not self.shows(attr):
            return []
        if self.dataset_ids is None:
            return instances
        return [i for i in instances if (i.dataset_id or NONE) in self.dataset_ids]


NORMALIZED: Final = View()


def render_entity(entity: Entity, ctx: CompiledContext, view: View = NORMALIZED) -> dict[str, Any]:
    """The entity as a document with short names, without "@context"."""
    out: dict[str, Any] = {}
    if view.shows("id"):
        out["id"] = entity.id
    if view.shows("type"):
        out["type"] = one_or_many([ctx.compact_iri(name) for name in entity.types])
    if entity.scopes and view.shows("scope"):
        out["scope"] = one_or_many(entity.scopes)
    if view.sys_attrs:
        _system_times(entity, view, out)
    for attr, instances in entity.attrs.items():
        shown = view.instances(attr, instances)
        if shown:
            out[ctx.compact_iri(attr)] = render_attribute(shown, ctx, view)
    return out


def _system_times(entity: Entity, view: View, out: dict[str, Any]) -> None:
    """createdAt, modifiedAt and expiresAt as far as they are known, where they are asked for
    (§6.3.11, §4.8)."""
    if entity.created_at and view.shows("createdAt"):
        out["createdAt"] = to_iso(entity.created_at)
    if entity.modified_at and view.shows("modifiedAt"):
        out["modifiedAt"] = to_iso(entity.modified_at)
    if entity.expires_at is not None and view.shows("expiresAt"):
        out["expiresAt"] = entity.expires_at


def render_attribute(
    instances: list[Instance], ctx: CompiledContext, view: View = NORMALIZED
) -> Any:
    """The JSON value of an attribute's name: its instances in the wanted form."""
    if view.lang is not None:
        instances = [_in_language(instance, view.lang) for instance in instances]
    if view.form == "simplified":
        return _simplified(instances, ctx)
    concise = view.form == "concise"
    if not concise and not view.sys_attrs and view.lang is None:
        plain = [plain_instance(instance, ctx) for instance in instances]
        return plain[0] if len(plain) == 1 else plain
    out = [_instance(i, ctx, concise=concise, sys_attrs=view.sys_attrs, lang=view.lang)
           for i in instances]  # fmt: skip
    return out[0] if len(out) == 1 else [_wrapped(item) for item in out]


def one_or_many(items: list[str]) -> str | list[str]:
    """A single item alone, several as an array."""
    return items[0] if len(items) == 1 else items


def outer_value(instance: Instance, ctx: CompiledContext, *, concise: bool = False) -> Any:
    """The value as documents have it: vocabulary values compacted, listed objects wrapped, but
    not in concise form (§4.5.22.3) nor where one NGSI-LD Null stands for a deleted list."""
    kind, value = instance.kind, instance.value
    if kind == "VocabProperty":
        return (
            [ctx.compact_iri(v) for v in value] if type(value) is list else ctx.compact_iri(value)
        )
    if kind == "ListRelationship" and not concise and value != [NULL]:
        return [{"object": item} for item in value]
    return value


def plain_instance(instance: Instance, ctx: CompiledContext) -> dict[str, Any]:
    """An instance in normalized form without system times: what the store keeps."""
    kind = instance.kind
    out: dict[str, Any]
    if kind in {"Property", "GeoProperty"}:
        out = {"type": kind, "value": instance.value}
    elif kind == "Relationship":
        out = {"type": kind, "object": instance.value}
        if instance.object_type is not None:
            out["objectType"] = one_or_many([ctx.compact_iri(t) for t in instance.object_type])
    else:
        out = {"type": kind, VALUE_MEMBER[kind]: outer_value(instance, ctx)}
        if instance.object_type is not None:
            out["objectType"] = one_or_many([ctx.compact_iri(t) for t in instance.object_type])
    if instance.value_type is not None:
        out["valueType"] = ctx.compact_iri(instance.value_type)
    if instance.unit_code is not None:
        out["unitCode"] = instance.unit_code
    if instance.observed_at is not None:
        out["observedAt"] = instance.observed_at
    if instance.dataset_id is not None:
        out["datasetId"] = instance.dataset_id
    if instance.sealed is not None:
        out |= _sealed(instance.sealed, ctx)
    if instance.subs is not None:
        for attr, subs in instance.subs.items():
            items = [plain_instance(sub, ctx) for sub in subs]
            out[ctx.compact_iri(attr)] = items[0] if len(items) == 1 else items
    return out


class _Localized(Instance):
    """A LanguageProperty reduced to one language."""

    language: str = ""


def _in_language(instance: Instance, lang: str) -> Instance:
    if instance.kind != "LanguageProperty" or type(instance.value) is not dict:
        return instance
    language = choose_language(instance.value, lang)
    fields = msgspec.structs.asdict(instance)
    fields.update(kind="Property", value=instance.value[language])
    return _Localized(**fields, language=language)


def _instance(
    instance: Instance, ctx: CompiledContext, *, concise: bool, sys_attrs: bool, lang: str | None
) -> Any:
    kind = instance.kind
    value = outer_value(instance, ctx, concise=concise)
    out: dict[str, Any] = {"type": kind, VALUE_MEMBER[kind]: value}
    if concise and is_geometry(value) == (kind == "GeoProperty"):
        del out["type"]
    _metadata(instance, ctx, out)
    if sys_attrs and instance.modified_at:
        out["createdAt"] = to_iso(instance.created_at)
        out["modifiedAt"] = to_iso(instance.modified_at)
    if sys_attrs and instance.expires_at is not None:
        out["expiresAt"] = instance.expires_at
    if instance.subs:
        view = View("concise" if concise else "normalized", sys_attrs, lang=lang)
        for attr, subs in instance.subs.items():
            out[ctx.compact_iri(attr)] = render_attribute(subs, ctx, view)
    if concise and len(out) == 1 and "value" in out and _stands_bare(value):
        return value
    return out


def _metadata(instance: Instance, ctx: CompiledContext, out: dict[str, Any]) -> None:
    if instance.object_type is not None:
        out["objectType"] = one_or_many([ctx.compact_iri(t) for t in instance.object_type])
    if instance.value_type is not None:
        out["valueType"] = ctx.compact_iri(instance.value_type)
    if isinstance(instance, _Localized):
        out["lang"] = instance.language
    if instance.unit_code is not None:
        out["unitCode"] = instance.unit_code
    if instance.observed_at is not None:
        out["observedAt"] = instance.observed_at
    if instance.dataset_id is not None:
        out["datasetId"] = instance.dataset_id
    if instance.sealed is not None:
        out |= _sealed(instance.sealed, ctx)


def _sealed(sealed: dict[str, str], ctx: CompiledContext) -> dict[str, str]:
    return {
        name: ctx.compact_iri(words) if name == "entityTypeSealed" else words
        for name, words in sealed.items()
    }


def _stands_bare(value: Any) -> bool:
    """Whether a concise value without metadata needs no {"value": …} around it to be read again."""
    if type(value) is dict:
        return (
            value.keys().isdisjoint(_TELLING)
            or is_geometry(value)
            or ("@value" in value and value.keys() <= _TYPED_VALUE)
        )
    return type(value) is not list or not value or not are_instances(value)


def _wrapped(item: Any) -> Any:
    """An instance among several is always an object."""
    if type(item) is dict and (item.keys() & _LIKE_INSTANCE):
        return item
    return {"value": item}


def _simplified(instances: list[Instance], ctx: CompiledContext) -> Any:
    if len(instances) == 1 and instances[0].dataset_id is None:
        return _simple(instances[0], ctx)
    return {"dataset": {i.dataset_id or NONE: _simple(i, ctx) for i in instances}}


def _simple(instance: Instance, ctx: CompiledContext) -> Any:
    kind = instance.kind
    if kind in _BARE_IN_SIMPLIFIED:
        return instance.value
    return {VALUE_MEMBER[kind]: outer_value(instance, ctx)}
