"""Scopes and the scope query (CIM 009 §4.18, §4.19)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from rynek.context.query.scan import Scanner, parse_alternatives

# scopeQ = conjunction *( ("|" / ",") conjunction )
# conjunction = element *( ";" element )
# element = pattern / "(" scopeQ ")"
# pattern = ["/"] level *( "/" level ) [ "/#" ]   ; the scope, with /# also all below it
# pattern =/ "/#"                                 ; any scope at all
# level = letter *( letter / number / "_" ) / "+" ; + stands for any one level

__all__ = ["ScopeExpr", "ScopePattern", "parse_scope"]

_ANY_LEVEL = "+"
_LOST_PLUS: Final = re.compile(r"/ (?=[/,;|)]|$)")


class ScopePattern(msgspec.Struct, frozen=True):
    """One pattern: levels (`+` = any one) and whether everything below matches too."""

    levels: tuple[str, ...]
    subtree: bool = False

    def matches(self, scope: str) -> bool:
        """Whether one scope (with or without the leading `/`) fits."""
        levels = scope.strip("/").split("/")
        if not scope or len(levels) < len(self.levels):
            return False
        if len(levels) > len(self.levels) and not self.subtree:
            return False
        return all(
            want in (_ANY_LEVEL, got) for want, got in zip(self.levels, levels, strict=False)
        )

    @property
    def exact(self) -> bool:
        """Whether `prefix` is the one scope that matches."""
        return not self.subtree and _ANY_LEVEL not in self.levels

    @property
    def prefix(self) -> str:
        """The part before the first wildcard, as `/a/b`; empty when there is none.

        Every scope that matches is equal to it or begins with it and a `/`.
        """
        fixed = self.levels
        if _ANY_LEVEL in fixed:
            fixed = fixed[: fixed.index(_ANY_LEVEL)]
        return "".join(f"/{level}" for level in fixed)


class ScopeExpr(msgspec.Struct, frozen=True):
    """Alternatives of patterns; an alternative holds when each of its patterns fits a scope."""

    options: tuple[tuple[ScopePattern, ...], ...]

    def matches(self, scopes: Sequence[str] | None) -> bool:
        """Whether an entity in these scopes is selected; one without a scope never is."""
        if not scopes:
            return False
        return any(
            all(any(pattern.matches(scope) for scope in scopes) for pattern in option)
            for option in self.options
        )

    def alternatives(self) -> list[tuple[ScopePattern, ...]]:
        """The disjunctive normal form, for SQL."""
        return list(self.options)

    def prefixes(self) -> list[str]:
        """One prefix an alternative (its longest): a match has a scope at or below one of them.

        An empty string means any scope.
        """
        longest = [max((p.prefix for p in option), key=len) for option in self.options]
        return list(dict.fromkeys(longest))


def parse_scope(text: str) -> ScopeExpr:
    """Parse a scope query; raises BadRequestData with the position, or TooComplexQuery.

    Quotes around the whole are no part of the language (§4.19), but the standard's own examples
    write them (C.5.15.2, C.5.16.2), so clients do too. A level that is a space was a `+` in an
    address where nobody encoded it.
    """
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    text = _LOST_PLUS.sub(f"/{_ANY_LEVEL}", text[1:-1] if quoted else text)
    scanner = Scanner("scopeQ", text)
    options = parse_alternatives(scanner, _pattern)
    return ScopeExpr(tuple(dict.fromkeys(tuple(option) for option in options)))


def _pattern(scanner: Scanner) -> ScopePattern:
    scanner.take("/")
    levels: list[str] = []
    while True:
        if scanner.take("#"):
            return ScopePattern(tuple(levels), subtree=True)
        levels.append(_ANY_LEVEL if scanner.take(_ANY_LEVEL) else _level(scanner))
        if not scanner.take("/"):
            return ScopePattern(tuple(levels))


def _level(scanner: Scanner) -> str:
    start = scanner.pos
    level = scanner.run("/,;|()+#")
    if not level or not level[0].isalpha():
        scanner.error("a scope level, '+' or '#'", start)
    if not all(c.isalpha() or c.isnumeric() or c == "_" for c in level):
        scanner.error("a scope level of letters, numbers and '_'", start)
    return level
