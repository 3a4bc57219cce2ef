"""Subscriptions → documents under any @context (CIM 009 §5.2.12, §5.2.14.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.base.clock import to_iso
from rynek.context.jsonld import CompiledContext
from rynek.context.query import (
    ENTITY_MEMBERS,
    And,
    Linked,
    Or,
    Path,
    Projection,
    QNode,
    Term,
    TypeExpr,
    format_q,
    parse_projection,
    parse_q,
    parse_types,
)
from rynek.context.subscriptions.counters import Counters
from rynek.context.subscriptions.model import Member, Subscription
from rynek.context.subscriptions.parse import MEMBERS, SUBSCRIPTION

_MANY: Final = 1_000  # deeper than any projection that was accepted
Names = Callable[[str], str]


def render_subscription(
    one: Subscription, ld: CompiledContext, counters: Counters | None, now: int, *, sys_attrs: bool
) -> dict[str, Any]:
    """The subscription with what the system knows of it, without "@context"."""
    out: dict[str, Any] = {"id": one.id, "type": SUBSCRIPTION}
    for name in MEMBERS:
        member = one.members.get(name)
        if member is not None:
            out[name] = _renamed(name, member, ld)
    out.setdefault("jsonldContext", one.link)
    out["status"] = one.status(now)
    out["notification"] = dict(out["notification"])
    if counters is not None:
        out["notification"] |= counters.document()
    if sys_attrs:
        out["createdAt"] = to_iso(one.created_at)
        out["modifiedAt"] = to_iso(one.modified_at)
    return out


def _renamed(name: str, member: Member, ld: CompiledContext) -> Any:
    """The value of a member with its names under `ld`: short where they can be (§5.5.7)."""
    rename = _RENAMERS.get(name)
    same = member.ld.id == ld.id
    if rename is None or (same and b"://" not in msgspec.json.encode(member.value)):
        return member.value
    return rename(member.value, member.ld.expand_term, ld.compact_iri)


def _entities(value: Any, expand: Names, compact: Names) -> Any:
    return [one | _type_of(one, expand, compact) for one in value]


def _type_of(one: dict[str, Any], expand: Names, compact: Names) -> dict[str, str]:
    key = "type" if "type" in one else "@type"
    text = one[key]
    return {} if text == "*" else {key: format_types(parse_types(text, expand), compact)}


def format_types(types: TypeExpr, compact: Names) -> str:
    """A type selection as text (§4.17)."""
    options = [";".join(sorted(map(compact, option))) for option in types.options]
    if len(options) > 1:
        options = [f"({one})" if ";" in one else one for one in options]
    return ",".join(options)


def _names(value: Any, expand: Names, compact: Names) -> Any:
    return [compact(expand(one)) for one in value]


def _listed(value: Any, expand: Names, compact: Names) -> Any:
    return ",".join(compact(expand(one.strip())) for one in value.split(",") if one.strip())


def _geo(value: Any, expand: Names, compact: Names) -> Any:
    if "geoproperty" not in value:
        return value
    return value | {"geoproperty": compact(expand(value["geoproperty"]))}


def _q(value: Any, expand: Names, compact: Names) -> Any:
    return format_q(_renamed_q(parse_q(value, expand, (), _MANY), compact))


def _renamed_q(node: QNode, compact: Names) -> QNode:
    if isinstance(node, Term):
        return msgspec.structs.replace(node, path=_renamed_path(node.path, compact))
    if isinstance(node, Linked):
        inner = _renamed_q(node.node, compact)
        assert isinstance(inner, (Term, Linked))
        types = f"{','.join(map(compact, node.types))}:" if node.types else ""
        path = inner.text if isinstance(inner, Linked) else inner.path.text
        text = f"{compact(node.relationship)}{{{types}{path}}}"
        return msgspec.structs.replace(node, node=inner, text=text)
    parts: Any = tuple(_renamed_q(part, compact) for part in node.nodes)
    return And(parts) if isinstance(node, And) else Or(parts)


def _renamed_path(path: Path, compact: Names) -> Path:
    if path.attr.startswith("@"):
        return path
    names = [compact(one) for one in (path.attr, *path.subs)]
    if path.member is not None:
        names.append(path.member)
    trail = f"[{'.'.join(path.trail)}]" if path.trail else ""
    return msgspec.structs.replace(path, text=".".join(names) + trail)


def _notification(value: Any, expand: Names, compact: Names) -> Any:
    out = dict(value)
    if "attributes" in out:
        out["attributes"] = _names(out["attributes"], expand, compact)
    for name in ("pick", "omit"):
        if name in out:
            tree = parse_projection(name, ",".join(out[name]), expand, _MANY)
            out[name] = _projected(tree, compact)
    return out


def _projected(tree: Projection, compact: Names) -> list[str]:
    names = [one for one in sorted(ENTITY_MEMBERS) if one in tree.members]
    for attr in sorted(tree.attrs):
        inner = tree.linked.get(attr)
        names.append(
            compact(attr) + (f"{{{','.join(_projected(inner, compact))}}}" if inner else "")
        )
    return names


_RENAMERS: Final[dict[str, Callable[[Any, Names, Names], Any]]] = {
    "entities": _entities,
    "watchedAttributes": _names,
    "q": _q,
    "csf": _q,
    "geoQ": _geo,
    "expandValues": _listed,
    "jsonKeys": _listed,
    "notification": _notification,
}
