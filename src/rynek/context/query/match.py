"""The tree of `q` as a compiled test of entities (CIM 009 §4.9, semantics of the operators).

How unclear places of the clause are read here:
- A pattern matches when it is found anywhere in the text, as in POSIX regexec; anchors are allowed.
- A text that looks like a date-time, date or time is compared as one with an unquoted literal of
  that kind, since JSON has no such type; a quoted one is compared as text with texts, and in time
  with targets that are typed (observedAt, `@type`, `valueType`).
- Only equality looks inside an array (and so >= and <=, which include it); a range, an order and
  a pattern do not, because the data types differ.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from rynek.context.model import Entity, Instance
from rynek.context.query import literals, pattern
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
from rynek.context.query.q import And, Linked, QNode, Term
from rynek.context.query.targets import REFERENCES, descend, entity_time, targets

__all__ = ["Predicate", "compile_q"]

Predicate = Callable[[Entity], bool]
_Test = Callable[[Any], bool]
_Compare = Callable[[Any, Any], bool]

_COMPARE: Final[dict[str, _Compare]] = {
    lang.EQ: operator.eq,
    lang.NE: operator.eq,
    lang.GT: operator.gt,
    lang.GE: operator.ge,
    lang.LT: operator.lt,
    lang.LE: operator.le,
}
_PLAIN: Final = frozenset({"Property", "JsonProperty", "ListProperty", "VocabProperty"})


def compile_q(node: QNode) -> Predicate:
    """Compile once, test many entities (a few microseconds each); cheap conditions run first.

    Of a condition on linked entities only the relationship is looked for; see linked.py.
    """
    if isinstance(node, Term):
        return _compile_term(node)
    if isinstance(node, Linked):
        relationship = node.relationship
        return lambda entity: any(
            one.kind in REFERENCES for one in entity.attrs.get(relationship, ())
        )
    parts = [compile_q(part) for part in sorted(node.nodes, key=_cost)]
    return _all_of(parts) if isinstance(node, And) else _any_of(parts)


def _cost(node: QNode) -> int:
    if isinstance(node, Linked):
        return 1
    if not isinstance(node, Term):
        return 10 + sum(_cost(part) for part in node.nodes)
    return (5 if node.pattern is not None else 1) + len(node.path.subs) + len(node.path.trail)


def _all_of(parts: list[Predicate]) -> Predicate:
    def test(entity: Entity) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs twice as much
            if not part(entity):
                return False
        return True

    return test


def _any_of(parts: list[Predicate]) -> Predicate:
    def test(entity: Entity) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs twice as much
            if part(entity):
                return True
        return False

    return test


def _compile_term(term: Term) -> Predicate:
    path = term.path
    attr, subs = path.attr, path.subs
    if attr.startswith("@"):
        holds = _on_targets(term)
        no_trail = not path.trail
        return lambda entity: no_trail and holds(entity_time(entity, attr))
    on_instance = _on_instance(term)
    if subs:
        return lambda entity: any(map(on_instance, descend(entity.attrs.get(attr, ()), subs)))

    def test(entity: Entity) -> bool:
        for instance in entity.attrs.get(attr, ()):  # noqa: SIM110 - see _all_of
            if on_instance(instance):
                return True
        return False

    return test


def _on_instance(term: Term) -> Callable[[Instance], bool]:
    """The test of one instance of the last attribute of the path."""
    member, trail = term.path.member, term.path.trail
    holds = _on_targets(term)
    # Relationships match nothing but existence and equality (§4.9).
    no_references = member is None and term.op not in (lang.EXISTS, lang.EQ, lang.NE)

    def general(instance: Instance) -> bool:
        if no_references and instance.kind in REFERENCES:
            return False
        return holds(targets(instance, member, trail))

    if member is not None or trail or term.op in (lang.EXISTS, lang.NE, lang.UNLIKE):
        return general
    positive = _positive(term)

    def fast(instance: Instance) -> bool:
        if instance.kind in _PLAIN and instance.value_type is None:
            return positive(instance.value)
        return general(instance)

    return fast


def _on_targets(term: Term) -> Callable[[tuple[Any, ...]], bool]:
    """The test of all target values of one instance."""
    if term.op == lang.EXISTS:
        return bool
    positive = _positive(term)
    if term.op == lang.NE:
        return lambda found: bool(found) and not any(map(positive, found))
    if term.op == lang.UNLIKE:
        return lambda found: any(type(v) is str for v in found) and not any(map(positive, found))
    return lambda found: any(map(positive, found))


def _positive(term: Term) -> _Test:
    """The test of one target value, without the negation of `!=` and `!~=`."""
    if term.pattern is not None:
        return _pattern_test(term.pattern)
    if term.low is not None and term.high is not None:
        return _range_test(term.low, term.high)
    scalar = _either([_scalar(value, _COMPARE[term.op]) for value in term.values])
    if term.op in (lang.GT, lang.LT):
        return _no_arrays(scalar)
    equal = _either([_scalar(value, operator.eq) for value in term.values])

    def test(value: Any) -> bool:
        kind = type(value)
        if kind is list:
            return any(equal(unwrap(element)) for element in value)
        return scalar(unwrap(value) if kind is dict else value)

    return test


def _no_arrays(scalar: _Test) -> _Test:
    def test(value: Any) -> bool:
        return scalar(unwrap(value) if type(value) is dict else value)

    return test


def _pattern_test(text: str) -> _Test:
    found = pattern.search(text)
    return lambda value: type(value) is str and found(value)


def _range_test(low: Literal, high: Literal) -> _Test:
    above, below = _scalar(low, operator.ge), _scalar(high, operator.le)

    def test(value: Any) -> bool:
        if type(value) is dict:
            value = unwrap(value)
        return above(value) and below(value)

    return test


def _either(tests: list[_Test]) -> _Test:
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


def _scalar(literal: Literal, compare: _Compare) -> _Test:
    """The comparison with one literal; False for any other data type."""
    wanted: Any = literal.value
    if literal.kind == literals.NUMBER:
        return lambda v: (type(v) is int or type(v) is float) and compare(v, wanted)
    if literal.kind == literals.BOOLEAN:
        return lambda v: type(v) is bool and compare(v, wanted)
    if literal.kind in (literals.TEXT, literals.URI):
        return _text(str(wanted), compare)
    convert, target = _TEMPORAL[literal.kind]
    return _temporal(wanted, compare, convert, target)


def _temporal(wanted: Any, compare: _Compare, convert: Callable[[str], Any], target: type) -> _Test:
    def test(value: Any) -> bool:
        kind = type(value)
        if kind is str:
            value = convert(value)
            return value is not None and compare(value, wanted)
        return kind is target and compare(value, wanted)

    return test


def _text(wanted: str, compare: _Compare) -> _Test:
    def plain(value: Any) -> bool:
        return type(value) is str and compare(value, wanted)

    for convert, target in _TEMPORAL.values():
        moment = convert(wanted)
        if moment is not None:
            return _text_or_time(plain, moment, compare, target)
    return plain


def _text_or_time(plain: _Test, moment: Any, compare: _Compare, target: type) -> _Test:
    return lambda v: compare(v, moment) if type(v) is target else plain(v)


_TEMPORAL: Final[dict[str, tuple[Callable[[str], Any], type]]] = {
    literals.DATETIME: (moment_of, Moment),
    literals.DATE: (day_of, Day),
    literals.TIME: (time_of, TimeOfDay),
}
