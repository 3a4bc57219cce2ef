"""What a query asks of single values, as far as a store can tell without looking at whole entities.

A store says of each test which entities surely have such a value and which may have one; `truth`
puts that together, and only what stays open is looked at entity by entity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from rynek.context.query import literals
from rynek.context.query import q as lang
from rynek.context.query.literals import day_of, moment_of, time_of
from rynek.context.query.q import And, Linked, QNode, Term
from rynek.context.query.query import Query

__all__ = ["Only", "ValueTest", "geo_test", "onlies", "terms_of", "truth", "value_test"]

TestOp = Literal["==", "!=", ">", ">=", "<", "<=", "range", "exists", "box", "any"]


class ValueTest(msgspec.Struct, frozen=True):
    """A test of the values of an attribute (IRI) with numbers or texts.

    `==` and `!=` have one value or several, `range` both ends, `box` west, south, east and north,
    which the place has to touch. `any`: nothing is known but which attribute it looks at.
    """

    attr: str
    op: TestOp
    values: tuple[float, ...] | tuple[str, ...] = ()


class Only(msgspec.Struct, frozen=True):
    """Of an attribute only the instances that may pass `tests`: all of them, or (not `every`) one."""

    attr: str
    tests: tuple[ValueTest, ...]
    every: bool


def value_test(term: Term) -> ValueTest:
    """The test that a term makes of the values of its attribute."""
    path = term.path
    unknown = ValueTest(path.attr, "any")
    if path.subs or path.member is not None or path.trail or term.pattern is not None:
        return unknown
    if term.op == lang.EXISTS:
        return ValueTest(path.attr, "exists")
    if term.low is not None and term.high is not None:
        if term.low.kind != literals.NUMBER or term.op != lang.EQ:
            return unknown
        ends = (float(term.low.value), float(term.high.value))
        return ValueTest(path.attr, "range", ends)
    kinds = {value.kind for value in term.values}
    if kinds == {literals.NUMBER}:
        numbers = tuple(float(value.value) for value in term.values)
        return ValueTest(path.attr, term.op, numbers)  # type: ignore[arg-type]
    texts = tuple(str(value.value) for value in term.values)
    if kinds == {literals.TEXT} and not any(map(_is_time, texts)):
        return ValueTest(path.attr, term.op, texts)  # type: ignore[arg-type]
    return unknown


def _is_time(text: str) -> bool:
    """Whether a text is compared as a time with some values."""
    return any(convert(text) is not None for convert in (moment_of, day_of, time_of))


def terms_of(node: QNode) -> Iterator[Term]:
    """The terms of a tree; those about linked entities are left out."""
    if isinstance(node, Term):
        yield node
    elif not isinstance(node, Linked):
        for part in node.nodes:
            yield from terms_of(part)


def truth(node: QNode, known: Callable[[Term], bool | None]) -> bool | None:
    """Whether a tree holds, given which of its terms do; None where that cannot be said."""
    if isinstance(node, Term):
        return known(node)
    if isinstance(node, Linked):
        return None
    parts = [truth(part, known) for part in node.nodes]
    decided = isinstance(node, And)
    if (not decided) in parts:
        return not decided
    return None if None in parts else decided


def onlies(query: Query) -> tuple[Only, ...]:
    """The instances that matter to q and the geo-query: others cannot make a difference."""
    found: dict[str, list[ValueTest]] = {}
    together = True
    if query.q is not None:
        together = isinstance(query.q, Term) or (
            isinstance(query.q, And) and all(isinstance(node, Term) for node in query.q.nodes)
        )
        for term in terms_of(query.q):
            found.setdefault(term.path.attr, []).append(value_test(term))
    if query.geo is not None:
        place = geo_test(query)
        if place.attr in found and not together:
            found[place.attr].append(ValueTest(place.attr, "any"))
        else:
            found.setdefault(place.attr, []).append(place)
    return tuple(Only(attr, tuple(tests), together) for attr, tests in found.items())


def geo_test(query: Query) -> ValueTest:
    """The test that the geo-query makes of the values of its attribute."""
    assert query.geo is not None
    box = query.geo.box()
    if box is None or box[0] > box[2]:
        return ValueTest(query.geo.geoproperty, "any")
    return ValueTest(query.geo.geoproperty, "box", tuple(map(float, box)))
