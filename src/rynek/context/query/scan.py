"""What the small languages of a query share: a cursor over text, errors with a position, and/or."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

from rynek.base.errors import BadRequestData, TooComplexQuery

MAX_BYTES: Final = 16 * 1024
MAX_DEPTH: Final = 64
MAX_TERMS: Final = 256

_T = TypeVar("_T")


class Scanner:
    """A cursor over the text of one parameter; `error` names the parameter and the position."""

    def __init__(self, parameter: str, text: str, max_bytes: int = MAX_BYTES) -> None:
        self.parameter = parameter
        self.text = text
        self.pos = 0
        self.terms = 0
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise BadRequestData(f"{parameter}: not valid Unicode text") from error
        if size > max_bytes:
            raise TooComplexQuery(f"{parameter}: longer than {max_bytes} bytes")

    def error(self, expected: str, at: int | None = None) -> NoReturn:
        """Raise BadRequestData: what was expected where, and what stands there."""
        pos = self.pos if at is None else at
        found = repr(self.text[pos : pos + 24]) if pos < len(self.text) else "the end"
        raise BadRequestData(
            f"{self.parameter}: expected {expected} at position {pos}, found {found}"
        )

    def skip_space(self) -> None:
        """Move past blanks; they carry no meaning between tokens."""
        text, pos = self.text, self.pos
        while pos < len(text) and text[pos] in " \t\r\n":
            pos += 1
        self.pos = pos

    def peek(self) -> str:
        """The next character after blanks; empty at the end."""
        self.skip_space()
        return self.text[self.pos : self.pos + 1]

    def take(self, token: str) -> bool:
        """Move past `token` when it stands here (after blanks)."""
        self.skip_space()
        if not self.text.startswith(token, self.pos):
            return False
        self.pos += len(token)
        return True

    def run(self, stop: str) -> str:
        """The characters up to a blank, the end or one of `stop`; may be empty."""
        self.skip_space()
        start = pos = self.pos
        text = self.text
        while pos < len(text) and text[pos] not in stop and not text[pos].isspace():
            pos += 1
        self.pos = pos
        return text[start:pos]

    def name(self) -> str:
        """One attribute name: a letter, then letters, numbers, `_`; may have a `prefix:`."""
        self.skip_space()
        start = self.pos
        self._plain_name("an attribute name")
        if self.text.startswith(":", self.pos):
            self.pos += 1
            self._plain_name("a name after the prefix")
        return self.text[start : self.pos]

    def _plain_name(self, what: str) -> None:
        text, pos = self.text, self.pos
        if pos >= len(text) or not text[pos].isalpha():
            self.error(what)
        while pos < len(text) and (
            text[pos].isalpha() or text[pos].isnumeric() or text[pos] == "_"
        ):
            pos += 1
        self.pos = pos

    def count_term(self) -> None:
        """Count one term against the bound of a query."""
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise TooComplexQuery(f"{self.parameter}: more than {MAX_TERMS} terms")

    def at_end(self) -> bool:
        """Whether only blanks are left."""
        return self.peek() == ""


# Disjunctive normal form: a list of alternatives, each a list of what must all hold.
# `;` binds tighter than `|` and `,`, as in the query language (CIM 009 §4.9).


def parse_alternatives(scanner: Scanner, atom: Callable[[Scanner], _T]) -> list[list[_T]]:
    """Parse `atom` joined by `,` `|` (or), `;` (and) and brackets to the end of the text."""
    alternatives = _parse_or(scanner, atom, 0)
    if not scanner.at_end():
        scanner.error("',', '|', ';' or the end")
    return alternatives


def _parse_or(scanner: Scanner, atom: Callable[[Scanner], _T], depth: int) -> list[list[_T]]:
    if depth > MAX_DEPTH:
        raise TooComplexQuery(f"{scanner.parameter}: nested deeper than {MAX_DEPTH}")
    alternatives = _parse_and(scanner, atom, depth)
    while scanner.take("|") or scanner.take(","):
        alternatives = alternatives + _parse_and(scanner, atom, depth)
    return alternatives


def _parse_and(scanner: Scanner, atom: Callable[[Scanner], _T], depth: int) -> list[list[_T]]:
    product = _parse_group(scanner, atom, depth)
    while scanner.take(";"):
        right = _parse_group(scanner, atom, depth)
        if len(product) * len(right) > MAX_TERMS:
            raise TooComplexQuery(f"{scanner.parameter}: more than {MAX_TERMS} alternatives")
        product = [left + more for left in product for more in right]
    return product


def _parse_group(scanner: Scanner, atom: Callable[[Scanner], _T], depth: int) -> list[list[_T]]:
    if not scanner.take("("):
        scanner.count_term()
        return [[atom(scanner)]]
    inner = _parse_or(scanner, atom, depth + 1)
    if not scanner.take(")"):
        scanner.error("')'")
    return inner
