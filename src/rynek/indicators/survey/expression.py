"""The part of XPath that XLSForm uses in relevant, constraint and calculation: parsed, then run.

    or      = and {"or" and}                    sum     = product {("+" | "-") product}
    and     = equal {"and" equal}               product = unary {("*" | "div" | "mod") unary}
    equal   = order {("=" | "!=") order}        unary   = {"-"} value
    order   = sum {("<" | "<=" | ">" | ">=") sum}
    value   = number | string | ${name} | "." | name "(" [or {"," or}] ")" | "(" or ")"

Values are text, numbers and truth, converted as XPath 1.0 §3 and §4 say; a reference into a repeat
from outside of it is a list. See https://docs.getodk.org/form-operators-functions/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.indicators.survey.functions import FUNCTIONS, Scope, Value, as_number, as_text, as_truth

__all__ = ["Expression", "parse_expression"]

_MAX_LENGTH: Final = 4_000
_MAX_DEPTH: Final = 40
_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<reference>\$\{\s*[\w.-]+\s*\}|\.\./[A-Za-z_][\w-]*(?!\s*/))
    |(?P<number>\d+(?:\.\d*)?|\.\d+)
    |(?P<string>'[^']*'|"[^"]*")
    |(?P<name>[A-Za-z_][\w]*(?:[-:][A-Za-z_][\w]*)*)
    |(?P<sign><=|>=|!=|[=<>+*(),.-])
    )""",
    re.VERBOSE,
)
_ENDS: Final = ("", "", 0)
# From the loosest to the tightest.
_LEVELS: Final = (
    ("or",),
    ("and",),
    ("=", "!="),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "div", "mod"),
)

_Run = Callable[[Scope], Value]
_Token = tuple[str, str, int]


class Expression(msgspec.Struct, frozen=True):
    """An expression that can be run: its text, and the names that it refers to: of questions, and
    (in a choice filter) of columns of the list of choices."""

    text: str
    references: frozenset[str]
    columns: frozenset[str]
    run: Callable[[Scope], Value]

    def truth(self, scope: Scope) -> bool:
        """The value as XPath's boolean()."""
        return as_truth(self.run(scope))

    def text_in(self, scope: Scope) -> str:
        """The value as XPath's string()."""
        return as_text(self.run(scope))


def parse_expression(text: str, *, columns: bool = False) -> Expression:
    """An expression; with `columns` a bare name is a column of the choices. BadRequestData names what is wrong in it and where, or what is unsupported."""
    if len(text) > _MAX_LENGTH:
        raise BadRequestData(f"an expression has at most {_MAX_LENGTH} characters")
    parser = _Parser(text, _tokens(text), columns=columns)
    run = parser.level(0, 0)
    parser.end()
    return Expression(text, frozenset(parser.references), frozenset(parser.columns), run)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].strip()
            what = "a path" if rest[0] in "/[@|" or rest.startswith("..") else repr(rest[:20])
            raise BadRequestData(
                f"{what} at character {at + 1} is not supported: refer to a question as ${{name}}"
            )
        kind = str(match.lastgroup)
        found.append((kind, match.group(kind), match.start(kind) + 1))
        at = match.end()
    return found


class _Parser:
    """A recursive descent over the grammar above; each step gives a function to run."""

    def __init__(self, text: str, tokens: list[_Token], *, columns: bool) -> None:
        self.references: set[str] = set()
        self.columns: set[str] = set()
        self._takes_columns = columns
        self._text, self._tokens, self._at = text, tokens, 0

    def end(self) -> None:
        """Nothing may be left."""
        if self._at < len(self._tokens):
            _, word, at = self._tokens[self._at]
            raise BadRequestData(f"{word!r} at character {at} is not expected in {self._text!r}")

    def level(self, n: int, depth: int) -> _Run:
        """An operation of the nth level or a tighter one."""
        if depth > _MAX_DEPTH:
            raise BadRequestData(f"an expression is nested at most {_MAX_DEPTH} deep")
        if n == len(_LEVELS):
            return self._unary(depth)
        left = self.level(n + 1, depth)
        while self._peek()[1] in _LEVELS[n] and self._peek()[0] in ("sign", "name"):
            operator = self._next()[1]
            left = _operation(operator, left, self.level(n + 1, depth))
        return left

    def _unary(self, depth: int) -> _Run:
        minus = 0
        while self._peek()[:2] == ("sign", "-"):
            self._next()
            minus += 1
        value = self._value(depth)
        if not minus:
            return value
        factor = -1.0 if minus % 2 else 1.0
        return lambda scope: factor * as_number(value(scope))

    def _value(self, depth: int) -> _Run:
        kind, word, at = self._next()
        if kind == "number":
            number = float(word)
            return lambda _: number
        if kind == "string":
            return lambda _: word[1:-1]
        if kind == "reference":
            name = word.strip("${} ./")
            self.references.add(name)
            return lambda scope: scope.value(name)
        if word == ".":
            return lambda scope: scope.own
        if word == "(":
            inner = self.level(0, depth + 1)
            self._expect(")")
            return inner
        if kind == "name":
            return self._call(word, at, depth)
        if not word:
            raise BadRequestData(f"{self._text!r} ends too early")
        raise BadRequestData(f"{word!r} at character {at} is not expected in {self._text!r}")

    def _call(self, name: str, at: int, depth: int) -> _Run:
        if self._peek()[1] != "(":
            if self._takes_columns:
                self.columns.add(name)
                return lambda scope: scope.column(name)
            raise BadRequestData(
                f"{name!r} at character {at} is no function: write ${{{name}}} for a question,"
                f" '{name}' for a text"
            )
        known = FUNCTIONS.get(name)
        if known is None:
            raise BadRequestData(
                f"the function {name}() is not supported; these are: {', '.join(sorted(FUNCTIONS))}"
            )
        self._next()
        given: list[_Run] = []
        while self._peek()[1] != ")" or self._peek()[0] != "sign":
            if given:
                self._expect("," if self._peek()[1] == "," else ")")
            given.append(self.level(0, depth + 1))
        self._next()
        if not known.least <= len(given) <= known.most:
            raise BadRequestData(f"{name}() takes {known.counts()}, not {len(given)}")
        work = known.work
        if known.lazy:  # a branch that is not taken is not run
            return lambda scope: given[1 if as_truth(given[0](scope)) else 2](scope)
        return lambda scope: work(scope, *(each(scope) for each in given))

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _ENDS

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, sign: str) -> None:
        _, word, at = self._next()
        if word != sign:
            place = f"{word!r} at character {at}" if word else "the end"
            raise BadRequestData(f"{sign!r} is expected before {place} in {self._text!r}")


def _operation(operator: str, left: _Run, right: _Run) -> _Run:
    if operator == "and":
        return lambda scope: as_truth(left(scope)) and as_truth(right(scope))
    if operator == "or":
        return lambda scope: as_truth(left(scope)) or as_truth(right(scope))
    if operator in ("=", "!="):
        wanted = operator == "="
        return lambda scope: _equal(left(scope), right(scope)) == wanted
    work = _NUMERIC[operator]
    return lambda scope: work(as_number(left(scope)), as_number(right(scope)))


def _equal(left: Value, right: Value) -> bool:
    """XPath 1.0 §3.4: as truth if one is, else as numbers if one is, else as text."""
    if isinstance(left, list):
        return any(_equal(each, right) for each in left)
    if isinstance(right, list):
        return any(_equal(left, each) for each in right)
    if isinstance(left, bool) or isinstance(right, bool):
        return as_truth(left) == as_truth(right)
    if isinstance(left, float) or isinstance(right, float):
        return as_number(left) == as_number(right)
    return left == right


def _divided(left: float, right: float) -> float:
    if right:
        return left / right
    return float("nan") if not left or left != left else float("inf") * (1 if left > 0 else -1)  # noqa: PLR0124


def _remainder(left: float, right: float) -> float:
    """XPath's mod: with the sign of what is divided."""
    if not right or abs(left) == float("inf") or left != left or right != right:  # noqa: PLR0124
        return float("nan")
    return left if abs(right) == float("inf") else abs(left) % abs(right) * (1 if left >= 0 else -1)


_NUMERIC: Final[dict[str, Callable[[float, float], Value]]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "div": _divided,
    "mod": _remainder,
}
