"""Expanded and flattened JSON-LD → what NGSI-LD writes for it (JSON-LD 1.1 §9; JSON-LD 1.1 API §5).

In expanded form every name is an IRI and every member an array of value objects (`@value`), lists
(`@list`), references (`@id`) and nodes. Nothing is fetched and no node is read twice: the work
grows with the document alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rynek.base.errors import BadRequestData
from rynek.context.jsonld import CompiledContext
from rynek.context.language import NONE

__all__ = ["is_expanded", "is_literal", "member_of", "plain", "single_node"]

_MAX_DEPTH: Final = 200
_BLANK: Final = "_:"
_LITERAL: Final = frozenset(("@value", "@type", "@language", "@direction", "@index"))
# Members of a value that compaction by the core @context writes so.
_ALIASES: Final = {"@id": "id", "@type": "type"}


def is_literal(raw: Any) -> bool:
    """Whether something is a value object, such as `{"@value": 3}`, whose type is no short name."""
    if type(raw) is not dict or "@value" not in raw or not raw.keys() <= _LITERAL:
        return False
    kind = raw.get("@type", "@json")
    return type(kind) is str and (kind == "@json" or ":" in kind)


def is_expanded(item: Any) -> bool:
    """Whether something is what expansion makes of a member."""
    return type(item) is list and bool(item) and all(map(_is_object, item))


def _is_object(raw: Any) -> bool:
    if type(raw) is not dict:
        return False
    if is_literal(raw) or raw.keys() == {"@list"}:
        return True
    return all(name[:1] == "@" or (":" in name and _of_objects(raw[name])) for name in raw)


def _of_objects(item: Any) -> bool:
    return type(item) is list and all(type(one) is dict for one in item)


def member_of(short: str, item: list[Any], ctx: CompiledContext) -> Any:
    """An expanded member of an attribute, by its short name, in the form that NGSI-LD has for it."""
    read = _MEMBERS.get(short)
    return plain(item, ctx) if read is None else read(item, ctx)


def plain(item: Any, ctx: CompiledContext, depth: int = 0) -> Any:
    """A JSON value whose names are short again; an array of one is what it holds."""
    if depth > _MAX_DEPTH:
        raise BadRequestData(f"the document nests more than {_MAX_DEPTH} deep")
    if type(item) is list:
        found = [plain(one, ctx, depth + 1) for one in item]
        return found[0] if len(found) == 1 else found
    if type(item) is not dict:
        return item
    if "@list" in item:
        return [plain(one, ctx, depth + 1) for one in _array(item["@list"])]
    if "@value" in item:
        return _literal(item, ctx)
    if item.keys() == {"@id"}:
        return item["@id"]
    out: dict[str, Any] = {}
    for name, inner in item.items():
        if name == "@type":
            types = [_compact(one, ctx) for one in _array(inner)]
            inner = types[0] if len(types) == 1 else types
        short = _ALIASES.get(name) or _compact(name, ctx)
        if short in out:
            raise BadRequestData(f"{short[:80]}: stands twice in the document")
        out[short] = inner if name[:1] == "@" else plain(inner, ctx, depth + 1)
    return out


def _literal(item: dict[str, Any], ctx: CompiledContext) -> Any:
    """A value without its definition; one of a data type keeps it."""
    if item.get("@type", "@json") == "@json":
        return item["@value"]
    return {"@type": _compact(item["@type"], ctx), "@value": item["@value"]}


def _compact(name: Any, ctx: CompiledContext) -> Any:
    if type(name) is not str or name[:1] == "@":
        return name
    try:
        return ctx.compact_iri(name)
    except BadRequestData:
        return name


def _array(item: Any) -> list[Any]:
    return item if type(item) is list else [item]


def _bare(one: Any) -> Any:
    """What a value object or a reference says, whatever its type."""
    if type(one) is dict:
        return one.get("@value", one.get("@id", one))
    return one


def _bares(item: list[Any], _ctx: CompiledContext) -> Any:
    found = [_bare(one) for one in item]
    return found[0] if len(found) == 1 else found


def _languages(item: list[Any], _ctx: CompiledContext) -> Any:
    """Texts by language; several of one language are an array."""
    texts: dict[Any, list[Any]] = {}
    for one in item:
        tag = one.get("@language", NONE)
        if not is_literal(one) or type(tag) is not str:
            return item
        texts.setdefault(tag, []).append(one["@value"])
    return {tag: words[0] if len(words) == 1 else words for tag, words in texts.items()}


def _listed(item: list[Any]) -> list[Any]:
    """What the lists of an array hold, one after the other."""
    lists = [one["@list"] if type(one) is dict and "@list" in one else [one] for one in item]
    return [inner for one in lists for inner in _array(one)]


def _value_list(item: list[Any], ctx: CompiledContext) -> Any:
    return [plain(one, ctx) for one in _listed(item)]


def _object_list(item: list[Any], ctx: CompiledContext) -> Any:
    found = []
    for one in _listed(item):
        inner = plain(one, ctx)
        found.append(inner if type(inner) is dict else {"object": inner})
    return found


_MEMBERS: Final[dict[str, Callable[[list[Any], CompiledContext], Any]]] = {
    "languageMap": _languages,
    "valueList": _value_list,
    "objectList": _object_list,
} | dict.fromkeys(
    (
        "object", "vocab", "observedAt", "unitCode", "datasetId", "objectType", "valueType",
        "expiresAt", "createdAt", "modifiedAt", "deletedAt", "instanceId", "lang", "scope",
    ),
    _bares,
)  # fmt: skip


def single_node(document: Any) -> Any:
    """The one node that a JSON-LD document is about, with its @context: that of an array or a
    `@graph` of one, or of a flattened one, whose blank nodes then stand where they are named.

    The document itself where it is nothing of that; BadRequestData where nodes cannot be joined.
    """
    context: dict[str, Any] = {}
    nodes = document
    if type(document) is dict:
        if "@graph" not in document or document.keys() - {"@graph", "@context"}:
            return document
        context = {"@context": document["@context"]} if "@context" in document else {}
        nodes = document["@graph"]
    if type(nodes) is not list or not all(type(node) is dict for node in nodes):
        return document
    if len(nodes) == 1:
        return context | nodes[0]
    blank = {n["@id"]: n for n in nodes if str(n.get("@id", ""))[:2] == _BLANK}
    named = [n for n in nodes if str(n.get("@id", ""))[:2] != _BLANK]
    if len(named) != 1 or len(blank) != len(nodes) - 1:
        return document
    joined = _joined(named[0], blank, 0)
    if blank:
        raise BadRequestData("the @graph has nodes that the entity does not lead to")
    return context | joined


def _joined(item: Any, blank: dict[str, dict[str, Any]], depth: int) -> Any:
    """An item with its blank nodes inside; each is taken out of `blank`, as none has two places."""
    if depth > _MAX_DEPTH:
        raise BadRequestData(f"the document nests more than {_MAX_DEPTH} deep")
    if type(item) is list:
        return [_joined(one, blank, depth + 1) for one in item]
    if type(item) is not dict:
        return item
    name = item.get("@id")
    if item.keys() == {"@id"} and type(name) is str and name[:2] == _BLANK:
        if name not in blank:
            raise BadRequestData(f"the blank node {name[:80]!r} is not there, or in two places")
        node = {key: inner for key, inner in blank.pop(name).items() if key != "@id"}
        return _joined(node, blank, depth + 1)
    return {key: _joined(inner, blank, depth + 1) for key, inner in item.items()}
