"""Attribute projection: `attrs`, `pick` and `omit` (CIM 009 §4.21).

    projection = name [ "{" projection "}" ] *( ("," / "|") projection )

The part in braces says what is shown of the entities that a relationship leads to, which needs
linked entity retrieval (§4.5.23).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from rynek.base.errors import BadRequestData, TooComplexQuery
from rynek.context.query.scan import Scanner

__all__ = ["ENTITY_MEMBERS", "Projection", "parse_attrs", "parse_projection"]

ENTITY_MEMBERS: Final = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "expiresAt"})
_MAX_DEPTH: Final = 32


class Projection(msgspec.Struct, frozen=True):
    """What `pick` keeps or `omit` leaves out: entity members by name, attributes by IRI.

    `linked` holds what the part in braces says of the entities behind a relationship, by its IRI.
    """

    members: frozenset[str]
    attrs: frozenset[str]
    linked: dict[str, Projection] = {}

    @property
    def depth(self) -> int:
        """How many relationships the longest part in braces follows."""
        return max((1 + part.depth for part in self.linked.values()), default=0)

    def keeps(self, attr: str) -> bool:
        """Whether the attribute with this IRI is listed."""
        return attr in self.attrs


def parse_attrs(text: str, expand: Callable[[str], str]) -> list[str]:
    """Parse `attrs`: names separated by `,` → IRIs, in order, each once."""
    scanner = Scanner("attrs", text)
    tree = _tree(scanner, 0)
    if any(tree.values()):
        scanner.error("attribute names only", text.index("{"))
    return list(dict.fromkeys(expand(name) for name in tree))


def parse_projection(
    parameter: str, text: str, expand: Callable[[str], str], links: int = 0
) -> Projection:
    """Parse `pick` or `omit` (named by `parameter` for errors).

    `links` is how many relationships linked entity retrieval follows. BadRequestData with the
    position for bad syntax, and when `a{b}` reaches deeper than `links` (§5.7.1.4, §5.7.2.4).
    """
    tree = _tree(Scanner(parameter, text), 0)
    projection = _projection(tree, expand)
    if projection.depth > links:
        reason = f"joinLevel is {links}" if links else "which needs the parameter join"
        raise BadRequestData(
            f"{parameter}: the braces ask for linked entities {projection.depth} deep, {reason}"
        )
    return projection


_Tree = dict[str, "_Tree"]


def _projection(tree: _Tree, expand: Callable[[str], str]) -> Projection:
    plain = {name.removeprefix("@"): name for name in tree}
    members = frozenset(ENTITY_MEMBERS.intersection(plain))
    attrs = {expand(name): part for key, name in plain.items() if key not in members
             for part in (tree[name],)}  # fmt: skip
    linked = {attr: _projection(part, expand) for attr, part in attrs.items() if part}
    return Projection(members, frozenset(attrs), linked)


def _tree(scanner: Scanner, depth: int) -> _Tree:
    """Names with the trees in their braces; the same name twice has the names of both."""
    if depth > _MAX_DEPTH:
        raise TooComplexQuery(f"{scanner.parameter}: nested deeper than {_MAX_DEPTH}")
    names: _Tree = {}
    while True:
        scanner.count_term()
        name = scanner.run(",|{}")
        if not name:
            scanner.error("an attribute name")
        part = names.setdefault(name, {})
        if scanner.take("{"):
            part.update(_tree(scanner, depth + 1))
            if not scanner.take("}"):
                scanner.error("',' or '}'")
        if not (scanner.take(",") or scanner.take("|")):
            break
    if depth == 0 and not scanner.at_end():
        scanner.error("',' or the end")
    return names
