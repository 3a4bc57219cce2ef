"""The query language `q`: text → tree → text (CIM 009 §4.9).

Grammar, in our own words (blanks between tokens carry no meaning):

    query      = conjunction *( "|" conjunction )
    conjunction = element *( ";" element )            ; "and" binds tighter than "or"
    element    = "(" query ")" / term
    term       = path                                 ; the target exists
               / path ( "==" / "!=" ) operand
               / path ( ">" / ">=" / "<" / "<=" ) comparable
               / path ( "~=" / "!~=" ) pattern
    path       = name *( "." name ) [ "[" member *( "." member ) "]" ]
               / name "{" [ type *( "," type ) ":" ] path "}"     ; of a linked entity
    name       = [ prefix ":" ] letter *( letter / number / "_" )
    member     = characters other than . [ ]          ; a JSON member, a language, or "*"
    operand    = value *( "," value ) / comparable ".." comparable
    comparable = number / "string" / dateTime / date / time
    value      = comparable / true / false / URI      ; see literals.py
    pattern    = "string" / characters up to ; | or ) outside of brackets

The last name may be a member that the standard keeps beside a value: observedAt, createdAt,
modifiedAt, expiresAt, unitCode, datasetId, objectType, valueType. As the only name, createdAt,
modifiedAt and expiresAt are the entity's. In `a{T:b}` the entities that the relationship a leads
to are tested, of them only those of a type listed; it needs linked entity retrieval (§4.5.23).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

import msgspec

from rynek.base.errors import BadRequestData, TooComplexQuery
from rynek.context.query import literals, pattern
from rynek.context.query.literals import Literal, scan_literal, scan_quoted
from rynek.context.query.paths import Path, scan_path
from rynek.context.query.scan import MAX_DEPTH, Scanner

__all__ = ["And", "Linked", "Or", "QNode", "Term", "format_q", "parse_q"]

EXISTS: Final = "exists"
EQ: Final = "=="
NE: Final = "!="
GT: Final = ">"
GE: Final = ">="
LT: Final = "<"
LE: Final = "<="
LIKE: Final = "~="
UNLIKE: Final = "!~="

_OPERATORS: Final = (UNLIKE, LIKE, EQ, NE, GE, LE, GT, LT)
_TYPES_HINT: Final = re.compile(r"\s*([^\W\d]\w*(?:\s*,\s*[^\W\d]\w*)*)\s*:\s*")
_COMPARABLE: Final = frozenset(
    {literals.NUMBER, literals.TEXT, literals.DATETIME, literals.DATE, literals.TIME}
)


class Term(msgspec.Struct, frozen=True):
    """One condition: a path alone (`op` is `exists`) or with an operator and its operand.

    Exactly one operand is set otherwise: `values` (one, or a list for == and !=), `low` and
    `high` (a range, both ends included), or `pattern`.
    """

    path: Path
    op: str = EXISTS
    values: tuple[Literal, ...] = ()
    low: Literal | None = None
    high: Literal | None = None
    pattern: str | None = None


class Linked(msgspec.Struct, frozen=True):
    """A condition on the entities that a relationship (IRI) leads to; any of them may hold it.

    `types` (IRIs) are those of which it must have one, where there are any.
    """

    relationship: str
    types: tuple[str, ...]
    node: Term | Linked
    text: str = ""

    @property
    def depth(self) -> int:
        """How many relationships are followed."""
        return 1 + (self.node.depth if isinstance(self.node, Linked) else 0)


class And(msgspec.Struct, frozen=True):
    """All of the nodes hold; none of them is an And."""

    nodes: tuple[Term | Or | Linked, ...]


class Or(msgspec.Struct, frozen=True):
    """One of the nodes holds; none of them is an Or."""

    nodes: tuple[Term | And | Linked, ...]


QNode = Term | And | Or | Linked


def parse_q(
    text: str,
    expand: Callable[[str], str],
    expand_values: Collection[str] = (),
    links: int = 0,
) -> QNode:
    """Parse a `q` filter; `expand` turns a short name into an IRI.

    `expand_values` are the short names of attributes whose query values are expanded too (the
    parameter of that name). `links` is how many relationships linked entity retrieval follows.
    Raises BadRequestData with position and what was expected, or when `a{b}` reaches deeper than
    `links`; TooComplexQuery beyond 16 KiB, 256 terms, depth 64.
    """
    parser = _Parser(Scanner("q", text), expand, frozenset(expand_values), links)
    node = parser.query(0)
    if not parser.scanner.at_end():
        parser.scanner.error("';', '|' or the end")
    return node


class _Parser:
    """Recursive descent over one text; each method is a rule of the grammar above."""

    def __init__(
        self,
        scanner: Scanner,
        expand: Callable[[str], str],
        expand_values: frozenset[str],
        links: int,
    ) -> None:
        self.scanner = scanner
        self.links = links
        self.expand = expand
        self.expand_values = expand_values

    def query(self, depth: int) -> QNode:
        if depth > MAX_DEPTH:
            raise TooComplexQuery(f"q: nested deeper than {MAX_DEPTH}")
        nodes = [self.conjunction(depth)]
        while self.scanner.take("|"):
            nodes.append(self.conjunction(depth))
        if len(nodes) == 1:
            return nodes[0]
        flat: list[Term | And | Linked] = []
        for node in nodes:
            flat.extend(node.nodes if isinstance(node, Or) else (node,))
        return Or(tuple(flat))

    def conjunction(self, depth: int) -> QNode:
        nodes = [self.element(depth)]
        while self.scanner.take(";"):
            nodes.append(self.element(depth))
        if len(nodes) == 1:
            return nodes[0]
        flat: list[Term | Or | Linked] = []
        for node in nodes:
            flat.extend(node.nodes if isinstance(node, And) else (node,))
        return And(tuple(flat))

    def element(self, depth: int) -> QNode:
        if not self.scanner.take("("):
            return self.term()
        node = self.query(depth + 1)
        if not self.scanner.take(")"):
            self.scanner.error("';', '|' or ')'")
        return node

    def term(self) -> Term | Linked:
        self.scanner.count_term()
        if self.scanner.peek() == "!":
            self.scanner.error("an attribute name (the language has no negation of existence)")
        start = self.scanner.pos
        hops = self.hops()
        path, first = scan_path(self.scanner, self.expand)
        for _ in hops:
            if not self.scanner.take("}"):
                self.scanner.error("'}'")
        text = self.scanner.text[start : self.scanner.pos].strip()
        node: Term | Linked = self.condition(path, first)
        for relationship, types in reversed(hops):
            node = Linked(relationship, types, node, text)
        return node

    def hops(self) -> list[tuple[str, tuple[str, ...]]]:
        """The relationships that lead to the path, each with the types of what it leads to."""
        scanner = self.scanner
        found: list[tuple[str, tuple[str, ...]]] = []
        while True:
            start = scanner.pos
            scanner.skip_space()
            if not scanner.peek().isalpha():
                return found  # scan_path says what is wrong
            name = scanner.name()
            if not scanner.take("{"):
                scanner.pos = start
                return found
            if len(found) >= self.links:
                reason = f"joinLevel is {self.links}" if self.links else "needs the parameter join"
                raise BadRequestData(
                    f"q: '{name}{{…}}' at position {start} follows a relationship to linked "
                    f"entities, {reason}"
                )
            found.append((self.expand(name), self.types_hint()))

    def types_hint(self) -> tuple[str, ...]:
        """`T,U:` before a path in braces; nothing is taken when it is none."""
        scanner = self.scanner
        start = scanner.pos
        match = _TYPES_HINT.match(scanner.text, start)
        if match is None:
            return ()
        scanner.pos = match.end()
        return tuple(self.expand(name.strip()) for name in match.group(1).split(","))

    def condition(self, path: Path, first: str) -> Term:
        operator = next((o for o in _OPERATORS if self.scanner.take(o)), None)
        if operator is None:
            if self.scanner.peek() not in ("", ";", "|", ")"):
                self.scanner.error("an operator, ';', '|', ')' or the end")
            return Term(path)
        if operator in (LIKE, UNLIKE):
            return Term(path, operator, pattern=self.pattern())
        return self.comparison(path, operator, first)

    def pattern(self) -> str:
        scanner = self.scanner
        start = scanner.pos
        if scanner.peek() == '"':
            text = scan_quoted(scanner)
        else:
            text = self._bare_pattern()
        if not text:
            scanner.error("a regular expression", start)
        pattern.search(text)
        return text

    def _bare_pattern(self) -> str:
        scanner = self.scanner
        start, text = scanner.pos, scanner.text
        pos, depth, in_class = start, 0, False
        while pos < len(text):
            char = text[pos]
            if char == "\\":
                pos += 1
            elif in_class:
                in_class = char != "]"
            elif char == "[":
                in_class = True
            elif char == "(":
                depth += 1
            elif depth == 0 and char in ";|)":
                break
            elif char == ")":
                depth -= 1
            pos += 1
        scanner.pos = min(pos, len(text))
        return text[start : scanner.pos].strip(" ")

    def comparison(self, path: Path, operator: str, first: str) -> Term:
        scanner = self.scanner
        words = self.expand if first in self.expand_values else None
        start = scanner.pos
        value = scan_literal(scanner, words)
        if operator not in (EQ, NE):
            if value.kind not in _COMPARABLE:
                scanner.error(f"a number, text, date or time after '{operator}'", start)
            return Term(path, operator, (value,))
        if scanner.take(".."):
            return self._range(path, operator, value, start)
        values = [value]
        while scanner.take(","):
            scanner.count_term()
            values.append(scan_literal(scanner, words))
        return Term(path, operator, tuple(values))

    def _range(self, path: Path, operator: str, low: Literal, start: int) -> Term:
        scanner = self.scanner
        middle = scanner.pos
        high = scan_literal(scanner)
        if low.kind not in _COMPARABLE:
            scanner.error("a number, text, date or time as lower end", start)
        if high.kind != low.kind:
            scanner.error(f"an upper end of the same kind as the lower ({low.kind})", middle)
        return Term(path, operator, low=low, high=high)


def format_q(node: QNode) -> str:
    """The tree as text again, with the names as they were written."""
    if isinstance(node, Term):
        return _format_term(node, node.path.text)
    if isinstance(node, Linked):
        last: QNode = node
        while isinstance(last, Linked):
            last = last.node
        assert isinstance(last, Term)
        return _format_term(last, node.text)
    joint = ";" if isinstance(node, And) else "|"
    parts = [
        f"({format_q(part)})" if isinstance(part, Or) else format_q(part) for part in node.nodes
    ]
    return joint.join(parts)


def _format_term(term: Term, path: str) -> str:
    if term.op == EXISTS:
        return path
    if term.pattern is not None:
        operand = _quote(term.pattern)
    elif term.low is not None and term.high is not None:
        operand = f"{_format_literal(term.low)}..{_format_literal(term.high)}"
    else:
        operand = ",".join(_format_literal(value) for value in term.values)
    return f"{path}{term.op}{operand}"


def _format_literal(value: Literal) -> str:
    return _quote(value.text) if value.kind == literals.TEXT else value.text


def _quote(text: str) -> str:
    return msgspec.json.encode(text).decode()
