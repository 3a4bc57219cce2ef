"""What a value index can answer of a `q` tree, and the keys it must hold.

The key space is SQLite's order: numbers < text < blobs.
- numbers as int (64 bit) or float, texts cut to 200 characters,
- booleans as one byte, 0 or 1,
- date-times as the byte 2 and times of day as the byte 3, each followed by 8 bytes, big-endian:
  microseconds + 2**63. A text that says one is held as text and as that,
- an attribute's array or object (beside what is in it) as the byte 5, which no lookup asks for:
  where nothing from the texts on is held, every instance is a number.
An index lookup finds a superset of what matches; the exact test runs afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from rynek.context.model import Instance
from rynek.context.query import literals
from rynek.context.query import q as lang
from rynek.context.query.literals import (
    Day,
    Literal,
    Moment,
    TimeOfDay,
    day_of,
    moment_of,
    time_of,
    unwrap,
)
from rynek.context.query.paths import Path
from rynek.context.query.q import And, Linked, Or, QNode, Term
from rynek.context.query.targets import descend, targets

__all__ = [
    "AnyOf",
    "Comparison",
    "Hint",
    "Key",
    "KeyRange",
    "comparisons",
    "hints",
    "index_keys",
    "index_path",
    "key_ranges",
]

Key = int | float | str | bytes
KeyRange = tuple[Key, bool, Key, bool]

KEY_CHARACTERS: Final = 200
_SHIFT: Final = 2**63
_INT64: Final = range(-(2**63), 2**63)
_INDEXED: Final = frozenset({lang.EQ, lang.GT, lang.GE, lang.LT, lang.LE, lang.LIKE})
_TEXT_END: Final = b""
_MOMENT: Final = b"\x02"
_TIME: Final = b"\x03"
_TIME_END: Final = b"\x04"
COMPOUND: Final = b"\x05"
_LITERAL_START: Final = re.compile(r"\^([A-Za-z0-9 _:/-]+)(.?)", re.DOTALL)


class Comparison(msgspec.Struct, frozen=True):
    """A condition that a value index on (attr, path) can answer.

    `path` is a tuple of marked steps after the attribute: `.IRI` a sub-attribute, `@name` a
    member beside the value (observedAt …), `[name` a member inside the value or a language.
    """

    attr: str
    path: tuple[str, ...]
    op: str
    values: tuple[Literal, ...] = ()
    low: Literal | None = None
    high: Literal | None = None
    pattern: str | None = None


class AnyOf(msgspec.Struct, frozen=True):
    """A disjunction that indexes can answer as a union: each branch has at least one hint."""

    branches: tuple[tuple[Comparison | AnyOf, ...], ...]


Hint = Comparison | AnyOf


def hints(node: QNode) -> list[Hint]:
    """The conjuncts at the top that an index can answer; every match satisfies all of them."""
    if isinstance(node, Term):
        comparison = _comparison(node)
        return [] if comparison is None else [comparison]
    if isinstance(node, Linked):
        return []
    if isinstance(node, And):
        return [hint for part in node.nodes for hint in hints(part)]
    return _any_of(node)


def comparisons(node: QNode) -> list[Comparison]:
    """Only the plain comparisons of `hints`."""
    return [hint for hint in hints(node) if isinstance(hint, Comparison)]


def _any_of(node: Or) -> list[Hint]:
    branches = [tuple(hints(part)) for part in node.nodes]
    return [AnyOf(tuple(branches))] if all(branches) else []


def _comparison(term: Term) -> Comparison | None:
    if term.op not in _INDEXED or term.path.attr.startswith("@"):
        return None
    return Comparison(
        term.path.attr,
        index_path(term.path),
        term.op,
        term.values,
        term.low,
        term.high,
        term.pattern,
    )


def index_path(path: Path) -> tuple[str, ...]:
    """The steps of a path after its attribute, marked as Comparison says."""
    member = () if path.member is None else ("@" + path.member,)
    return (
        *("." + name for name in path.subs),
        *member,
        *("[" + name for name in path.trail),
    )


def index_keys(instance: Instance, path: Sequence[str]) -> list[Key]:
    """The keys an index on `path` holds for one instance of the attribute, each once.

    Arrays give a key for each element, language maps one for each text.
    """
    value = instance.value
    if not path and (type(value) is int or type(value) is float) and instance.value_type is None:
        return [_number(value)]
    subs, member, trail = _steps(tuple(path))
    keys: dict[Key, None] = {}
    for last in descend((instance,), subs) if subs else (instance,):
        for target in targets(last, member, trail):
            for one in target if type(target) is list else (target,):
                keys.update(dict.fromkeys(_keys(one)))
    if not path and (type(value) is list or not keys):
        keys[COMPOUND] = None
    return list(keys)


@lru_cache(maxsize=1024)
def _steps(path: tuple[str, ...]) -> tuple[tuple[str, ...], str | None, tuple[str, ...]]:
    """The marked steps apart: sub-attributes, member, members of the value."""
    member = next((step[1:] for step in path if step[0] == "@"), None)
    subs = tuple(step[1:] for step in path if step[0] == ".")
    return subs, member, tuple(step[1:] for step in path if step[0] == "[")


def _keys(value: Any) -> list[Key]:
    if type(value) is dict:
        value = unwrap(value)
    kind = type(value)
    if kind is bool:
        return [b"\x01" if value else b"\x00"]
    if kind is int or kind is float:
        return [_number(value)]
    if kind is Moment:
        return [_blob(_MOMENT, value)]
    if kind is TimeOfDay:
        return [_blob(_TIME, value)]
    if kind is Day:
        return [str(value)]
    return _text_keys(value) if kind is str else []


def _text_keys(text: str) -> list[Key]:
    keys: list[Key] = [text[:KEY_CHARACTERS]]
    moment = moment_of(text)
    if moment is not None:
        keys.append(_blob(_MOMENT, moment))
    time = time_of(text)
    if time is not None:
        keys.append(_blob(_TIME, time))
    return keys


def _number(value: int | float) -> int | float:
    if type(value) is float or value in _INT64:
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _blob(kind: bytes, micros: int) -> bytes:
    bounded = min(max(micros + _SHIFT, 0), 2**64 - 1)
    return kind + bounded.to_bytes(8, "big")


def key_ranges(comparison: Comparison) -> list[KeyRange]:
    """The ranges (low, low included, high, high included) that hold the keys of all matches."""
    if comparison.pattern is not None:
        return [_pattern_range(comparison.pattern)]
    if comparison.low is not None and comparison.high is not None:
        lower = _readings(comparison.low)
        upper = _readings(comparison.high)
        # A range matches when both ends do, so only kinds that both ends can be read as count.
        return [_between(kind, lower[kind], upper[kind]) for kind in lower if kind in upper]
    ranges = [
        _range(kind, key, comparison.op)
        for value in comparison.values
        for kind, key in _readings(value).items()
    ]
    return list(dict.fromkeys(ranges))


def _readings(literal: Literal) -> dict[str, Any]:
    """The kinds of key that can match a literal, with the literal's value in that kind."""
    value: Any = literal.value
    if literal.kind not in (literals.TEXT, literals.URI):
        kind = literals.TEXT if literal.kind == literals.DATE else literal.kind
        return {kind: value}
    readings: dict[str, Any] = {literals.TEXT: value}
    moment, time = moment_of(value), time_of(value)
    if moment is not None:
        readings[literals.DATETIME] = moment
    if time is not None and day_of(value) is None:
        readings[literals.TIME] = time
    return readings


def _key(kind: str, value: Any) -> tuple[Key, bool]:
    """The key of a bound, and whether it is exact (strict comparison stays strict)."""
    if kind == literals.NUMBER:
        return _number(value), abs(value) < _SHIFT
    if kind == literals.BOOLEAN:
        return (b"\x01" if value else b"\x00"), True
    if kind == literals.TEXT:
        return value[:KEY_CHARACTERS], len(value) < KEY_CHARACTERS
    return _blob(_MOMENT if kind == literals.DATETIME else _TIME, value), True


_SPAN: Final[dict[str, KeyRange]] = {
    literals.NUMBER: (float("-inf"), True, "", False),
    literals.TEXT: ("", True, _TEXT_END, False),
    literals.BOOLEAN: (b"\x00", True, b"\x01", True),
    literals.DATETIME: (_MOMENT, True, _TIME, False),
    literals.TIME: (_TIME, True, _TIME_END, False),
}


def _range(kind: str, value: Any, op: str) -> KeyRange:
    key, exact = _key(kind, value)
    low, low_in, high, high_in = _SPAN[kind]
    if op == lang.EQ:
        return (key, True, key, True)
    if op in (lang.GT, lang.GE):
        return (key, op == lang.GE or not exact, high, high_in)
    return (low, low_in, key, op == lang.LE or not exact)


def _between(kind: str, low: Any, high: Any) -> KeyRange:
    return (_key(kind, low)[0], True, _key(kind, high)[0], True)


def _pattern_range(pattern: str) -> KeyRange:
    """The texts that begin as the pattern does, when it is anchored and begins with letters."""
    found = _LITERAL_START.match(pattern)
    if found is None or "|" in pattern:
        return _SPAN[literals.TEXT]
    start = found.group(1)
    if found.group(2) and found.group(2) in "*?{+":
        start = start[:-1]
    start = start[:KEY_CHARACTERS]
    if not start:
        return _SPAN[literals.TEXT]
    return (start, True, start[:-1] + chr(ord(start[-1]) + 1), False)
