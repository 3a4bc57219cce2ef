"""Paths to a target value, as `q` and `orderBy` write them (CIM 009 §4.9, §4.23)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from rynek.context.query.scan import Scanner

__all__ = ["ENTITY_TIMES", "MEMBERS", "Path", "scan_path"]

MEMBERS: Final = frozenset(
    {
        "observedAt",
        "createdAt",
        "modifiedAt",
        "expiresAt",
        "unitCode",
        "datasetId",
        "objectType",
        "valueType",
    }
)
ENTITY_TIMES: Final = frozenset({"createdAt", "modifiedAt", "expiresAt"})


class Path(msgspec.Struct, frozen=True):
    """Where the target is: attribute IRI, sub-attribute IRIs, a member, members of the value.

    `attr` is `@createdAt`, `@modifiedAt` or `@expiresAt` for the entity's own times. `text` is
    the path as written, with short names.
    """

    attr: str
    subs: tuple[str, ...] = ()
    member: str | None = None
    trail: tuple[str, ...] = ()
    text: str = ""


def scan_path(scanner: Scanner, expand: Callable[[str], str]) -> tuple[Path, str]:
    """Parse a path here → the path, and its first name as written."""
    start = scanner.pos
    names = [scanner.name()]
    while _adjacent(scanner, "."):
        names.append(scanner.name())
    trail = _trail(scanner) if _adjacent(scanner, "[") else ()
    text = scanner.text[start : scanner.pos].strip()
    return _path(names, trail, text, expand), names[0]


def _adjacent(scanner: Scanner, token: str) -> bool:
    if not scanner.text.startswith(token, scanner.pos):
        return False
    scanner.pos += 1
    return True


def _trail(scanner: Scanner) -> tuple[str, ...]:
    end = scanner.text.find("]", scanner.pos)
    if end < 0:
        scanner.error("']'")
    members = tuple(scanner.text[scanner.pos : end].split("."))
    if any(not member or "[" in member for member in members):
        scanner.error("member names joined by '.'")
    scanner.pos = end + 1
    if scanner.text.startswith("[", scanner.pos):
        scanner.error("one pair of square brackets only; join members by '.'")
    return members


def _path(
    names: list[str], trail: tuple[str, ...], text: str, expand: Callable[[str], str]
) -> Path:
    if len(names) == 1 and names[0] in ENTITY_TIMES:
        return Path("@" + names[0], trail=trail, text=text)
    member = names[-1] if len(names) > 1 and names[-1] in MEMBERS else None
    subs = names[1:-1] if member else names[1:]
    return Path(expand(names[0]), tuple(expand(name) for name in subs), member, trail, text)
