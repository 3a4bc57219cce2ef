"""Entity types and attributes that sources have, as if they were ours (CIM 009 §5.7.5 - §5.7.11)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.context.distribution.answer import Answer
from rynek.context.distribution.forward import Outbound
from rynek.context.distribution.read import InvalidAnswer, words_of
from rynek.context.distribution.reading import Asked, Reader
from rynek.context.distribution.split import types_of
from rynek.context.jsonld import CompiledContext
from rynek.context.registrations import Match
from rynek.context.store.contract import TypeSummary

__all__ = ["UNKNOWN", "summaries", "together"]

UNKNOWN: Final = ""
"""The type of attributes of which a source does not say which entities have them."""

_loads: Final = msgspec.json.Decoder().decode
_MAX_NAMES: Final = 100_000
Expand = Callable[[str], str]


async def summaries(
    reader: Reader, matches: Sequence[Match], request: Outbound
) -> list[TypeSummary]:
    """What each source answers to a request below /types or /attributes, of that only what it is
    registered for. What it does not tell is empty or 0."""
    asked = [Asked(match, request) for match in matches]
    found: list[TypeSummary] = []
    for one, answer in zip(asked, await reader.ask(asked), strict=True):
        if not answer.ok:
            continue
        try:
            ld = await words_of(answer, reader.resolve)
            found += _registered(one.match, _read(answer, ld))
        except InvalidAnswer as error:
            reader.invalid(answer, error)
    return found


def together(parts: Iterable[TypeSummary]) -> list[TypeSummary]:
    """One summary a type: entities and attributes counted together."""
    merged: dict[str, TypeSummary] = {}
    for one in parts:
        known = merged.get(one.type)
        if known is None:
            merged[one.type] = TypeSummary(one.type, one.entities, dict(one.attrs))
            continue
        known.entities += one.entities
        for attr, (count, kinds) in one.attrs.items():
            before, had = known.attrs.get(attr, (0, []))
            known.attrs[attr] = (before + count, list(dict.fromkeys([*had, *kinds])))
    return list(merged.values())


def _registered(match: Match, found: Iterable[TypeSummary]) -> list[TypeSummary]:
    types, attrs = types_of(match), match.attrs
    kept = []
    for one in found:
        if types is not None and one.type not in types and one.type != UNKNOWN:
            continue
        if attrs is not None:
            one.attrs = {attr: told for attr, told in one.attrs.items() if attr in attrs}
        kept.append(one)
    return kept


def _read(answer: Answer, ld: CompiledContext) -> list[TypeSummary]:
    try:
        document = _loads(answer.body)
        items = document if isinstance(document, list) else [document]
        if len(items) > _MAX_NAMES:
            raise InvalidAnswer(f"more than {_MAX_NAMES} types or attributes")
        return [one for item in items for one in _item(item, ld.expand_term)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadRequestData) as error:
        raise InvalidAnswer(f"no types or attributes: {error}") from None
    except (TypeError, AttributeError, KeyError, ValueError):
        raise InvalidAnswer("no types or attributes") from None


def _item(item: dict[str, Any], expand: Expand) -> list[TypeSummary]:
    """One of the data types of §5.2.24 - §5.2.28; ValueError and its like when it is none."""
    kind = item["type"]
    if kind == "EntityTypeList":
        return [TypeSummary(expand(name), 0, {}) for name in _names(item["typeList"])]
    if kind == "AttributeList":
        attrs = {expand(name): (0, _NO_KINDS) for name in _names(item["attributeList"])}
        return [TypeSummary(UNKNOWN, 0, attrs)]
    if kind == "EntityType":
        attrs = {expand(name): (0, _NO_KINDS) for name in _names(item.get("attributeNames", []))}
        return [TypeSummary(expand(item["typeName"]), 0, attrs)]
    if kind == "EntityTypeInfo":
        attrs = {
            expand(one["attributeName"]): (0, _names(one.get("attributeTypes", [])))
            for one in item.get("attributeDetails", [])
        }
        return [TypeSummary(expand(item["typeName"]), int(item.get("entityCount", 0)), attrs)]
    if kind == "Attribute":
        return _attribute(item, expand)
    raise ValueError(kind)


_NO_KINDS: Final[list[str]] = []


def _attribute(item: dict[str, Any], expand: Expand) -> list[TypeSummary]:
    attr = expand(item["attributeName"])
    kinds = _names(item.get("attributeTypes", []))
    types = [expand(name) for name in _names(item.get("typeNames", []))] or [UNKNOWN]
    # The count is of all types together: it stands with the first.
    counts = [int(item.get("attributeCount", 0)), *([0] * (len(types) - 1))]
    return [
        TypeSummary(name, 0, {attr: (count, kinds)})
        for name, count in zip(types, counts, strict=True)
    ]


def _names(value: Any) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not all(isinstance(name, str) for name in names):
        raise ValueError("not names")
    return list(names)
