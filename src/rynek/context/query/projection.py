"""Attribute projection: `attrs`, `pick` and `omit` (CIM 009 §4.21).

    projection = name [ "{" projection "}" ] *( ("," / "|") projection )

The part in braces is for linked entity retrieval, which this version does not do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.context.query.scan import Scanner

__all__ = ["ENTITY_MEMBERS", "Projection", "parse_attrs", "parse_projection"]

ENTITY_MEMBERS: Final = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "expiresAt"})


class Projection(msgspec.Struct, frozen=True):
    """What `pick` keeps or `omit` leaves out: entity members by name, attributes by IRI."""

    members: frozenset[str]
    attrs: frozenset[str]

    def keeps(self, attr: str) -> bool:
        """Whether the attribute with this IRI is listed."""
        return attr in self.attrs


def parse_attrs(text: str, expand: Callable[[str], str]) -> list[str]:
    """Parse `attrs`: names separated by `,` → IRIs, in order, each once."""
    return list(dict.fromkeys(expand(name) for name in _names("attrs", text)))


def parse_projection(parameter: str, text: str, expand: Callable[[str], str]) -> Projection:
    """Parse `pick` or `omit` (named by `parameter` for errors).

    Raises BadRequestData with the position; also for `a{b}`, which needs linked
    entity retrieval (§5.7.1.4).
    """
    names = _names(parameter, text)
    members = frozenset(n.removeprefix("@") for n in names if n.removeprefix("@") in ENTITY_MEMBERS)
    attrs = frozenset(expand(n) for n in names if n.removeprefix("@") not in ENTITY_MEMBERS)
    return Projection(members, attrs)


def _names(parameter: str, text: str) -> list[str]:
    scanner = Scanner(parameter, text)
    names: list[str] = []
    while True:
        scanner.count_term()
        name = scanner.run(",|{}")
        if not name:
            scanner.error("an attribute name")
        if scanner.peek() == "{":
            raise BadRequestData(
                f"{parameter}: '{name}{{…}}' at position {scanner.pos} asks for linked entities, "
                "which needs the parameter join"
            )
        names.append(name)
        if not (scanner.take(",") or scanner.take("|")):
            break
    if not scanner.at_end():
        scanner.error("',' or the end")
    return names
