"""The same request in the words of another @context (CIM 009 §4.3.6.6, `jsonldContext`).

Works on documents and parameters as they came, so that NGSI-LD Nulls, fragments and every
representation pass through; values that are no names stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.context.formats.instances import is_geometry
from rynek.context.jsonld import CompiledContext
from rynek.context.model import VALUE_MEMBER
from rynek.context.query import format_q, parse_q
from rynek.context.query.paths import Path
from rynek.context.query.q import Linked, QNode, Term

__all__ = ["translate_attribute", "translate_document", "translate_params"]

Rename = Callable[[str], str]

_TYPE_NAMES: Final = re.compile(r"[^,;|()\s]+")
_ENTITY_MEMBERS: Final = frozenset(
    ("id", "@id", "type", "@type", "scope", "expiresAt", "createdAt", "modifiedAt", "deletedAt",
     "@context")
)  # fmt: skip
# Members of an instance whose names the core context fixes, and whose content is opaque.
_OPAQUE: Final = frozenset(
    (*(member for member in VALUE_MEMBER.values() if member != "vocab"), "observedAt", "unitCode",
     "datasetId", "instanceId", "createdAt", "modifiedAt", "deletedAt", "expiresAt", "lang",
     "type", "@type", "entity", "entityList")
)  # fmt: skip
_NAMES: Final = frozenset(("vocab", "objectType", "valueType"))
_ATTR_LISTS: Final = ("attrs", "keep", "drop", "expandValues", "jsonKeys")
_MEMBER_LISTS: Final = ("pick", "omit")
_SHOWN_MEMBERS: Final = _ENTITY_MEMBERS - {"@context"}
_INSTANCE_MARKS: Final = frozenset(VALUE_MEMBER.values()) | {"type"}


def translate_document(
    document: dict[str, Any],
    old: CompiledContext,
    new: CompiledContext,
    *,
    simplified: bool = False,
) -> dict[str, Any]:
    """An entity or a fragment with its names compacted by `new`, without "@context".

    `simplified` says that attributes are bare values (§4.5.4): nothing in them is a name.
    """
    rename = _renamer(old, new)
    out: dict[str, Any] = {}
    for name, item in document.items():
        if name == "@context":
            continue
        if name in {"type", "@type"}:
            out[name] = _each(item, rename)
        elif name in _ENTITY_MEMBERS:
            out[name] = item
        else:
            out[rename(name)] = item if simplified else _instances(item, rename)
    return out


def translate_attribute(item: Any, old: CompiledContext, new: CompiledContext) -> Any:
    """The body of an operation on one attribute: its instances, names compacted by `new`."""
    if isinstance(item, dict):
        item = {name: inner for name, inner in item.items() if name != "@context"}
    return _instances(item, _renamer(old, new), bare=False)


def translate_params(
    params: dict[str, str], old: CompiledContext, new: CompiledContext
) -> dict[str, str]:
    """Query parameters with their names compacted by `new`; BadRequestData where `q` is none."""
    rename = _renamer(old, new)
    out = dict(params)
    if params.get("type") not in (None, "*"):
        out["type"] = _TYPE_NAMES.sub(lambda found: rename(found[0]), params["type"])
    for name in _ATTR_LISTS:
        if params.get(name):
            out[name] = ",".join(rename(one) for one in params[name].split(","))
    for name in _MEMBER_LISTS:
        if params.get(name):
            out[name] = ",".join(
                one if one in _SHOWN_MEMBERS else rename(one)
                for one in re.split(r"[,|]", params[name])
            )
    for name in ("geoproperty", "geometryProperty"):
        if params.get(name):
            out[name] = rename(params[name])
    if params.get("q"):
        tree = parse_q(params["q"], old.expand_term, params.get("expandValues", "").split(","))
        out["q"] = format_q(_renamed_q(tree, new.compact_iri))
    return out


def _renamer(old: CompiledContext, new: CompiledContext) -> Rename:
    expand, compact = old.expand_term, new.compact_iri
    return lambda name: compact(expand(name))


def _each(item: Any, rename: Rename) -> Any:
    if isinstance(item, list):
        return [_each(one, rename) for one in item]
    return rename(item) if isinstance(item, str) else item


def _instances(item: Any, rename: Rename, *, bare: bool = True) -> Any:
    if isinstance(item, list):
        if all(isinstance(one, dict) and one.keys() & _INSTANCE_MARKS for one in item):
            return [_instance(one, rename) for one in item]
        return item
    if not isinstance(item, dict) or is_geometry(item):
        return item
    if bare and not item.keys() & _INSTANCE_MARKS:
        return item
    return _instance(item, rename)


def _instance(item: dict[str, Any], rename: Rename) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, inner in item.items():
        if name in _NAMES:
            out[name] = _each(inner, rename)
        elif name in _OPAQUE:
            out[name] = inner
        else:
            out[rename(name)] = _instances(inner, rename)
    return out


def _renamed_q(node: QNode, compact: Rename) -> QNode:
    if isinstance(node, Term):
        return msgspec.structs.replace(node, path=_renamed_path(node.path, compact))
    if isinstance(node, Linked):
        return node  # conditions on linked entities are tested here and never sent
    nodes = tuple(_renamed_q(part, compact) for part in node.nodes)
    return msgspec.structs.replace(node, nodes=nodes)


def _renamed_path(path: Path, compact: Rename) -> Path:
    first = path.attr[1:] if path.attr.startswith("@") else compact(path.attr)
    names = [first, *(compact(sub) for sub in path.subs)]
    if path.member is not None:
        names.append(path.member)
    trail = f"[{'.'.join(path.trail)}]" if path.trail else ""
    return msgspec.structs.replace(path, text=".".join(names) + trail)
