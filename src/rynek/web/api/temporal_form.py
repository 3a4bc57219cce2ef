"""Temporal entities → documents: normalized, temporal values, aggregated (CIM 009 §4.5.6 - 9)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, Literal

import msgspec

from rynek.base.clock import to_iso
from rynek.context import (
    NULL,
    VALUE_MEMBER,
    CompiledContext,
    Instance,
    TemporalEntity,
    TemporalInstance,
    TimeProperty,
    View,
    render_attribute,
)

Form = Literal["normalized", "concise", "temporalValues", "aggregatedValues"]

# Kind of attribute → the member of its simplified temporal representation (§4.5.9).
_LIST_MEMBER: Final = {
    "Property": "values",
    "GeoProperty": "values",
    "Relationship": "objects",
    "LanguageProperty": "languageMaps",
    "JsonProperty": "jsons",
    "VocabProperty": "vocabs",
    "ListProperty": "valueLists",
    "ListRelationship": "objectLists",
}


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


def head(entity_id: str, types: Sequence[str], ctx: CompiledContext, view: TemporalView) -> Any:
    """The members `id` and `type` of a document."""
    out: dict[str, Any] = {}
    if view.shows("id"):
        out["id"] = entity_id
    if view.shows("type"):
        names = [ctx.compact_iri(one) for one in types]
        out["type"] = names[0] if len(names) == 1 else names
    return out


def render(
    entity: TemporalEntity, types: Sequence[str], ctx: CompiledContext, view: TemporalView
) -> dict[str, Any]:
    """One entity's temporal representation, names short, without "@context"."""
    out: dict[str, Any] = head(entity.id, types, ctx, view)
    if entity.deleted_at is not None:
        out["deletedAt"] = to_iso(entity.deleted_at)
    for attr, instances in entity.attrs.items():
        if not view.shows(attr):
            continue
        if view.form == "temporalValues":
            out[ctx.compact_iri(attr)] = _values(instances, ctx, view)
        else:
            out[ctx.compact_iri(attr)] = [_instance(one, ctx, view) for one in instances]
    return out


def _instance(one: TemporalInstance, ctx: CompiledContext, view: TemporalView) -> dict[str, Any]:
    """§4.5.7: the instance as it was, and its instanceId."""
    if one.deleted:
        member = VALUE_MEMBER[one.instance.kind]
        out: dict[str, Any] = {"type": one.instance.kind, member: NULL}
        if one.instance.dataset_id is not None:
            out["datasetId"] = one.instance.dataset_id
        out["deletedAt"] = to_iso(one.at)
    else:
        rendered = render_attribute([one.instance], ctx, view.inner)
        out = rendered if isinstance(rendered, dict) else {"value": rendered}
        if view.time_property != "observedAt" and not view.sys_attrs:
            out[view.time_property] = to_iso(one.at)
    out["instanceId"] = one.instance_id
    return out


def _values(
    instances: Sequence[TemporalInstance], ctx: CompiledContext, view: TemporalView
) -> dict[str, Any] | list[dict[str, Any]]:
    """§4.5.9: [value, time] pairs, one object for each dataset id and kind."""
    groups: dict[tuple[str | None, str], list[list[Any]]] = {}
    plain = View("simplified", lang=view.lang)
    for one in instances:
        if one.deleted and view.time_property != "deletedAt":
            continue
        instance = one.instance
        moment = one.time if view.time_property == "observedAt" else one.at
        value = NULL if one.deleted else _simple(instance, ctx, plain)
        pairs = groups.setdefault((instance.dataset_id, instance.kind), [])
        pairs.append([value, to_iso(moment)])
    out = []
    for (dataset_id, kind), pairs in groups.items():
        item: dict[str, Any] = {"type": kind}
        if dataset_id is not None:
            item["datasetId"] = dataset_id
        item[_LIST_MEMBER[kind]] = pairs
        out.append(item)
    return out[0] if len(out) == 1 else out


def _simple(instance: Instance, ctx: CompiledContext, plain: View) -> Any:
    """The value as in the simplified form ({"json": …}, {"vocab": …}); datasetIds stand outside."""
    if instance.dataset_id is not None:
        instance = msgspec.structs.replace(instance, dataset_id=None)
    return render_attribute([instance], ctx, plain)


def render_aggregated(
    document: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    methods: Sequence[str],
    ctx: CompiledContext,
    view: TemporalView,
) -> dict[str, Any]:
    """§4.5.19: for each attribute and method a list of [value, start, end of period].

    A method that says nothing about the values (a mean of texts) is left out.
    """
    groups: dict[tuple[str, str | None, str], dict[str, Any]] = {}
    for row in rows:
        if not view.shows(row["attr"]):
            continue
        key = (row["attr"], row["dataset_id"], row["kind"])
        item = groups.setdefault(key, {})
        period = [to_iso(row["start"]), to_iso(row["end"])]
        for method in methods:
            if row[method] is not None:
                item.setdefault(method, []).append([row[method], *period])
    found: dict[str, list[dict[str, Any]]] = {}
    for (attr, dataset_id, kind), item in groups.items():
        if not item:
            continue
        whole: dict[str, Any] = {"type": kind}
        if dataset_id is not None:
            whole["datasetId"] = dataset_id
        found.setdefault(ctx.compact_iri(attr), []).append(whole | item)
    for name, items in found.items():
        document[name] = items[0] if len(items) == 1 else items
    return document
