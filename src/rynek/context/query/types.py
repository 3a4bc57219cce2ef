"""Entity type selection (CIM 009 §4.17)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from rynek.context.query.scan import Scanner, parse_alternatives

# selection = conjunction *( ("|" / ",") conjunction )
# conjunction = element *( ";" element )
# element = type / "(" selection ")"
# type = short name / IRI without the characters , ; | ( ) / "*" alone for every type

__all__ = ["TypeExpr", "parse_types"]


class TypeExpr(msgspec.Struct, frozen=True):
    """Alternatives of types; an alternative holds when the entity has all of its types.

    An empty alternative (from `*`) holds for every entity.
    """

    options: tuple[frozenset[str], ...]

    def matches(self, types: Sequence[str]) -> bool:
        """Whether an entity with these expanded types is selected."""
        return any(option.issubset(types) for option in self.options)

    def alternatives(self) -> list[frozenset[str]]:
        """The disjunctive normal form: each set names types that must all be present."""
        return list(self.options)


def parse_types(text: str, expand: Callable[[str], str]) -> TypeExpr:
    """Parse a type selection; `expand` turns a short name into an IRI.

    Raises BadRequestData with the position, TooComplexQuery beyond the bounds.
    """
    scanner = Scanner("type", text)
    if scanner.peek() == "*":
        scanner.take("*")
        if not scanner.at_end():
            scanner.error("nothing after '*'")
        return TypeExpr((frozenset(),))

    def one(cursor: Scanner) -> str:
        name = cursor.run(",;|()")
        if not name:
            cursor.error("an entity type")
        return expand(name)

    found = dict.fromkeys(frozenset(option) for option in parse_alternatives(scanner, one))
    return TypeExpr(tuple(found))
