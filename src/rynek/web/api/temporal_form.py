"""Temporal entities → documents: normalized, temporal values, aggregated (CIM 009 §4.5.6 - 9)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

import msgspec

from rynek.base.clock import to_iso
from rynek.context import (
    NULL,
    SCOPE,
    SERIES_MEMBER,
    VALUE_MEMBER,
    CompiledContext,
    Instance,
    TemporalAbout,
    TemporalEntity,
    TemporalInstance,
    TimeProperty,
    View,
    render_attribute,
)

Form = Literal["normalized", "concise", "temporalValues", "aggregatedValues"]


class TemporalView(msgspec.Struct, frozen=True):
    """How a client wants temporal entities shown; `omit` and `pick` as in View."""

    form: Form = "normalized"
    sys_attrs: bool = False
    lang: str | None = None
    time_property: TimeProperty = "observedAt"
    pick: Collection[str] | None = None
    omit: Collection[str] | None = None

    def shows(self, member: str) -> bool:
        """Whether `id`, `type`, `scope` or an attribute (by IRI) is to be shown."""
        if self.omit is not None and member in self.omit:
            return False
        return self.pick is None or member in self.pick

    @property
    def inner(self) -> View:
        """The same for one instance."""
        form = "concise" if self.form == "concise" else "normalized"
        return View(form, self.sys_attrs, lang=self.lang)  # type: ignore[arg-type]


def head(
    entity_id: str, about: TemporalAbout, ctx: CompiledContext, view: TemporalView
) -> dict[str, Any]:
    """The members of a document that are no attributes: id, type, and the system's times as far as
    they are known (§6.3.11)."""
    out: dict[str, Any] = {}
    if view.shows("id"):
        out["id"] = entity_id
    if view.shows("type"):
        names = [ctx.compact_iri(one) for one in about.types]
        out["type"] = names[0] if len(names) == 1 else names
    if view.sys_attrs and about.created_at and view.shows("createdAt"):
        out["createdAt"] = to_iso(about.created_at)
    if view.sys_attrs and about.modified_at and view.shows("modifiedAt"):
        out["modifiedAt"] = to_iso(about.modified_at)
    if view.sys_attrs and about.expires_at is not None and view.shows("expiresAt"):
        out["expiresAt"] = about.expires_at
    return out


def render(
    entity: TemporalEntity, about: TemporalAbout, ctx: CompiledContext, view: TemporalView
) -> dict[str, Any]:
    """One entity's temporal representation, names short, without "@context"."""
    out = whole_head(entity, about, ctx, view)
    for attr, instances in shown_attributes(entity, view):
        out[ctx.compact_iri(attr)] = series(instances, ctx, view)
    return out


def whole_head(
    entity: TemporalEntity, about: TemporalAbout, ctx: CompiledContext, view: TemporalView
) -> dict[str, Any]:
    """The members that are no attributes, with when the entity was deleted."""
    out = head(entity.id, about, ctx, view)
    if entity.deleted_at is not None and (view.sys_attrs or view.time_property == "deletedAt"):
        out["deletedAt"] = to_iso(entity.deleted_at)
    return out


def shown_attributes(
    entity: TemporalEntity, view: TemporalView
) -> list[tuple[str, list[TemporalInstance]]]:
    """Attributes by IRI, with their instances."""
    return [
        (attr, instances)
        for attr, instances in entity.attrs.items()
        if view.shows("scope" if attr == SCOPE else attr)
    ]


def series(
    instances: Sequence[TemporalInstance], ctx: CompiledContext, view: TemporalView
) -> dict[str, Any] | list[dict[str, Any]]:
    """The instances of one attribute: an array, or the simplified form (§4.5.9)."""
    if view.form == "temporalValues":
        return _values(instances, ctx, view)
    return [_instance(one, ctx, view) for one in instances]


def _instance(one: TemporalInstance, ctx: CompiledContext, view: TemporalView) -> dict[str, Any]:
    """§4.5.7: the instance as it was, and its instanceId."""
    if one.deleted:
        out = _deletion(one, view)
    else:
        rendered = render_attribute([one.instance], ctx, view.inner)
        bare = not isinstance(rendered, dict) or is_value(rendered)
        out = {"value": rendered} if bare else rendered
        if view.time_property == "createdAt" and not view.sys_attrs:
            out["createdAt"] = to_iso(one.instance.created_at)
        elif view.time_property == "modifiedAt" and not view.sys_attrs:
            out["modifiedAt"] = to_iso(one.at)
    out["instanceId"] = one.instance_id
    return out


def is_value(rendered: dict[str, Any]) -> bool:
    """Whether a concise instance is a bare value (a geometry), not an object around one."""
    return "coordinates" in rendered and "value" not in rendered


def _deletion(one: TemporalInstance, view: TemporalView) -> dict[str, Any]:
    """The instance that says that the attribute was deleted (§4.5.7)."""
    kind = one.instance.kind
    out: dict[str, Any] = {"type": kind, VALUE_MEMBER[kind]: null_of(kind)}
    if view.form == "concise":
        del out["type"]
    if one.instance.dataset_id is not None:
        out["datasetId"] = one.instance.dataset_id
    if view.sys_attrs:
        out["createdAt"] = to_iso(one.instance.created_at)
        out["modifiedAt"] = to_iso(one.at)
    out["deletedAt"] = to_iso(one.time)
    return out


def null_of(kind: str) -> Any:
    """The NGSI-LD Null as the value of a kind of attribute (§4.5.0)."""
    if kind == "LanguageProperty":
        return {"@none": NULL}
    if kind == "ListProperty":
        return [NULL]
    return [{"object": NULL}] if kind == "ListRelationship" else NULL


def _moment(one: TemporalInstance, view: TemporalView) -> int:
    if one.deleted or view.time_property in ("observedAt", "deletedAt"):
        return one.time
    return one.instance.created_at if view.time_property == "createdAt" else one.at


def _values(
    instances: Sequence[TemporalInstance], ctx: CompiledContext, view: TemporalView
) -> dict[str, Any] | list[dict[str, Any]]:
    """§4.5.9: [value, time] pairs, one object for each dataset id and kind."""
    groups: dict[tuple[str | None, str], list[list[Any]]] = {}
    plain = View("simplified", lang=view.lang)
    for one in instances:
        instance = one.instance
        value = _simple_null(instance.kind) if one.deleted else _simple(instance, ctx, plain)
        pairs = groups.setdefault((instance.dataset_id, _shown_kind(instance, value)), [])
        pairs.append([value, to_iso(_moment(one, view))])
    out = []
    for (dataset_id, kind), pairs in groups.items():
        item: dict[str, Any] = {"type": kind}
        if dataset_id is not None:
            item["datasetId"] = dataset_id
        item[SERIES_MEMBER[kind]] = pairs
        out.append(item)
    return out[0] if len(out) == 1 else out


def _shown_kind(instance: Instance, value: Any) -> str:
    """A LanguageProperty that was reduced to one language is a Property (§4.15)."""
    if instance.kind == "LanguageProperty" and not isinstance(value, dict):
        return "Property"
    return instance.kind


def _simple_null(kind: str) -> Any:
    if kind in ("LanguageProperty", "JsonProperty", "VocabProperty"):
        return {VALUE_MEMBER[kind]: null_of(kind)}
    return [NULL] if kind == "ListRelationship" else null_of(kind)


def _simple(instance: Instance, ctx: CompiledContext, plain: View) -> Any:
    """The value as in the simplified form ({"json": …}, {"vocab": …}); datasetIds stand outside."""
    if instance.dataset_id is not None:
        instance = msgspec.structs.replace(instance, dataset_id=None)
    return render_attribute([instance], ctx, plain)


class AggregatedGroup(msgspec.Struct, frozen=True):
    """Of one attribute, dataset and kind: for each method that says something (value, start and end
    of the period)."""

    attr: str
    dataset_id: str | None
    kind: str
    items: dict[str, list[tuple[Any, str, str]]]


def render_aggregated(
    document: dict[str, Any],
    groups: Sequence[AggregatedGroup],
    ctx: CompiledContext,
    view: TemporalView,
) -> dict[str, Any]:
    """§4.5.19: for each attribute and method a list of [value, start, end of period].

    A method that says nothing about the values (a mean of texts) is left out.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for group in groups:
        if not group.items or not view.shows(group.attr):
            continue
        whole: dict[str, Any] = {"type": group.kind}
        if group.dataset_id is not None:
            whole["datasetId"] = group.dataset_id
        found.setdefault(ctx.compact_iri(group.attr), []).append(whole | group.items)
    for name, items in found.items():
        document[name] = items[0] if len(items) == 1 else items
    return document
