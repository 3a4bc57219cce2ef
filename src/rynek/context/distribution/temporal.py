"""Temporal evolutions of an entity from several sources → one (CIM 009 §5.7.3.4, §5.7.4.4).

Works on documents in any of the temporal representations, their names in one @context.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from rynek.base.clock import parse_iso
from rynek.base.errors import Problem
from rynek.context.distribution.answer import Answer
from rynek.context.distribution.names import translate_document
from rynek.context.distribution.read import InvalidAnswer, Resolve, words_of
from rynek.context.jsonld import CompiledContext

__all__ = ["EVOLUTION_MEMBERS", "cut_to_last", "evolutions", "merge_evolutions"]

Document = dict[str, Any]
EVOLUTION_MEMBERS: Final = frozenset(
    ("id", "type", "@context", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt")
)
_loads: Final = msgspec.json.Decoder().decode
_SERIES: Final = (
    "values", "objects", "languageMaps", "jsons", "vocabs", "valueLists", "objectLists",
)  # fmt: skip


async def evolutions(answer: Answer, ld: CompiledContext, resolve: Resolve) -> list[Document]:
    """The documents of an answer, one or an array of them, with the names of `ld`; InvalidAnswer
    when one is no temporal evolution."""
    words = await words_of(answer, resolve)
    try:
        body = _loads(answer.body)
        return [
            await _in_words(one, words, ld, resolve)
            for one in (body if isinstance(body, list) else [body])
        ]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidAnswer("no temporal evolution: not JSON") from None
    except Problem as problem:
        raise InvalidAnswer(f"no temporal evolution: {problem.detail}") from None


async def _in_words(
    document: Any, words: CompiledContext, ld: CompiledContext, resolve: Resolve
) -> Document:
    if not isinstance(document, dict) or not isinstance(document.get("id"), str):
        raise InvalidAnswer("no temporal evolution: an entity has no id")
    if not _list(document.get("type")) or not all(map(_is_series, document.items())):
        raise InvalidAnswer(f"{document['id'][:200]}: no temporal evolution")
    spec = document.get("@context")
    if spec is not None and spec not in (words.member, words.link_value):
        words = await resolve(spec)
    return document if words is ld else translate_document(document, words, ld)


def _is_series(member: tuple[str, Any]) -> bool:
    name, item = member
    if name in EVOLUTION_MEMBERS:
        return True
    items = item if isinstance(item, list) else [item]
    return all(isinstance(one, dict) for one in items)


def merge_evolutions(
    parts: Sequence[Document], extras: Sequence[Document], time_property: str, *, descending: bool
) -> Document:
    """One document with every instance of `parts` (at least one, of one entity), and of `extras`
    (auxiliary sources) those at times at which no part has one.

    Of two instances with one dataset id and time the one modified last stays, then the first.
    Instances are in the order of `time_property`.
    """
    first = parts[0]
    out = {name: item for name, item in first.items() if name in EVOLUTION_MEMBERS}
    types = list(dict.fromkeys(name for part in parts for name in _list(part.get("type"))))
    if types:
        out["type"] = types[0] if len(types) == 1 else types
    names = dict.fromkeys(
        name for one in (*parts, *extras) for name in one if name not in EVOLUTION_MEMBERS
    )
    for name in names:
        having = [_instances(part[name]) for part in parts if name in part]
        spare = [_instances(extra[name]) for extra in extras if name in extra]
        merged = _merged(having, spare, time_property, descending=descending)
        listed = any(isinstance(one.get(name), list) for one in (*parts, *extras))
        alone = len(merged) == 1 and (not listed or _series(merged[0]))
        out[name] = merged[0] if alone else merged
    return out


def cut_to_last(document: Document, count: int, time_property: str) -> Document:
    """The document with the latest `count` instances of each attribute."""
    out = dict(document)
    for name, item in document.items():
        if name in EVOLUTION_MEMBERS:
            continue
        instances = _instances(item)
        if any(_series(one) for one in instances):
            cut = [_shortened(one, count) for one in instances]
            out[name] = cut[0] if len(cut) == 1 else cut
        else:
            latest = sorted(instances, key=lambda one: _time(one, time_property), reverse=True)
            out[name] = latest[:count]
    return out


def _shortened(one: Document, count: int) -> Document:
    member = _series(one)
    if member is None:
        return one
    pairs = sorted(one[member], key=_pair_time, reverse=True)
    return one | {member: pairs[:count]}


def _merged(
    having: Sequence[list[Document]],
    spare: Sequence[list[Document]],
    time_property: str,
    *,
    descending: bool,
) -> list[Document]:
    everything = [one for some in (*having, *spare) for one in some]
    if any(_series(one) for one in everything):
        return _merged_series(everything, descending=descending)
    if not all(_is_instance(one, time_property) for one in everything):
        return (having or spare)[0]  # aggregated: two averages make no third
    found = _by_slot((one for some in having for one in some), time_property)
    for one in _by_slot((one for some in spare for one in some), time_property).items():
        found.setdefault(*one)
    return sorted(found.values(), key=lambda one: _time(one, time_property), reverse=descending)


def _by_slot(instances: Iterable[Document], time_property: str) -> dict[tuple[Any, ...], Document]:
    """One instance for each dataset id and time; instances without that time all stay."""
    found: dict[tuple[Any, ...], Document] = {}
    for one in instances:
        at = one.get(time_property)
        own = one.get("instanceId") if at is None else None
        slot = (one.get("datasetId"), at, own or (id(one) if at is None else None))
        known = found.get(slot)
        if known is None or _time(one, "modifiedAt") > _time(known, "modifiedAt"):
            found[slot] = one
    return found


def _merged_series(series: Iterable[Document], *, descending: bool) -> list[Document]:
    """Simplified temporal representations: pairs of value and time, one list a dataset id."""
    groups: dict[tuple[Any, ...], tuple[Document, str, dict[Any, Any]]] = {}
    for one in series:
        member = _series(one)
        if member is None:
            continue
        key = (one.get("datasetId"), one.get("type"), member)
        _, _, pairs = groups.setdefault(key, (one, member, {}))
        for pair in one[member]:
            pairs.setdefault(_pair_key(pair), pair)
    return [
        one | {member: sorted(pairs.values(), key=_pair_time, reverse=descending)}
        for one, member, pairs in groups.values()
    ]


def _series(one: Document) -> str | None:
    return next((name for name in _SERIES if isinstance(one.get(name), list)), None)


def _is_instance(one: Document, time_property: str) -> bool:
    return time_property in one or "instanceId" in one or "observedAt" in one or "value" in one


def _pair_key(pair: Any) -> Any:
    return pair[1] if isinstance(pair, list) and len(pair) > 1 else repr(pair)


def _pair_time(pair: Any) -> int:
    return _micros(pair[1]) if isinstance(pair, list) and len(pair) > 1 else 0


def _time(one: Document, name: str) -> int:
    return _micros(one.get(name))


def _micros(text: Any) -> int:
    try:
        return parse_iso(text) if isinstance(text, str) else 0
    except ValueError:
        return 0


def _instances(item: Any) -> list[Document]:
    return [one for one in (item if isinstance(item, list) else [item]) if isinstance(one, dict)]


def _list(item: Any) -> list[str]:
    return item if isinstance(item, list) else [item] if isinstance(item, str) else []
