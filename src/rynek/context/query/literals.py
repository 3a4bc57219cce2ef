"""Values of the query language (CIM 009 §4.9, §4.6.3): text → typed literals, and typed targets."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any, Final

import msgspec

from rynek.base.clock import parse_iso
from rynek.context.query.scan import Scanner

# value = number / "string" / dateTime / date / time / true / false / URI
# number, "string"  as in JSON (RFC 8259)
# dateTime = YYYY-MM-DDThh:mm:ss[.f]Z or ±hh:mm    date = YYYY-MM-DD    time = hh:mm:ss[.f]Z
# URI = scheme ":" characters other than blanks , ; | ( ) "   ; quote those that hold them

NUMBER: Final = "number"
TEXT: Final = "text"
BOOLEAN: Final = "boolean"
DATETIME: Final = "datetime"
DATE: Final = "date"
TIME: Final = "time"
URI: Final = "uri"

_END: Final = r"(?=\.\.|[;|,)\s]|\Z)"
_DATETIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)" + _END, re.ASCII
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d" + _END, re.ASCII)
_TIME: Final = re.compile(r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z" + _END, re.ASCII)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?" + _END, re.ASCII)
_QUOTED: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s,;|()\"]+")
_WORD: Final = re.compile(r"\w[^\s,;|()\"]*")
_TIME_PARTS: Final = re.compile(r"(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?Z", re.ASCII)
_DATE_FORM: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MAX_NUMBER: Final = 400


class Moment(int):
    """A date-time target: epoch microseconds, never equal in kind to a number."""


class Day(str):
    """A date target, `YYYY-MM-DD`."""

    __slots__ = ()


class TimeOfDay(int):
    """A time target: microseconds since midnight UTC."""


class Literal(msgspec.Struct, frozen=True):
    """One value of a query: kind, comparable value, and the text as written.

    `value` is a number, a text, a boolean, epoch microseconds (datetime), `YYYY-MM-DD` (date)
    or microseconds since midnight (time).
    """

    kind: str
    value: int | float | str | bool
    text: str


def parse_time(text: str) -> int:
    """`hh:mm:ss[.f]Z` → microseconds since midnight; ValueError when it is none."""
    match = _TIME_PARTS.fullmatch(text)
    if match is None:
        raise ValueError("not a time")
    hour, minute, second = (int(part) for part in match.group(1, 2, 3))
    if hour > 24 or minute > 59 or second > 60:
        raise ValueError("not a time of day")
    fraction = (match.group(4) or "0").ljust(6, "0")[:6]
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + int(fraction)


def parse_date(text: str) -> str:
    """`YYYY-MM-DD` → itself; ValueError when there is no such day."""
    if _DATE_FORM.fullmatch(text) is None:
        raise ValueError("not a date")
    date.fromisoformat(text)
    return text


def moment_of(text: str) -> int | None:
    """The epoch microseconds a text says, or None."""
    if not text[:1].isdigit():  # most texts: an exception costs ten times as much
        return None
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        return None


def day_of(text: str) -> str | None:
    """The text itself when it is a date, or None."""
    if not text[:1].isdigit():
        return None
    try:
        return parse_date(text)
    except ValueError:
        return None


def time_of(text: str) -> int | None:
    """The microseconds since midnight a text says, or None."""
    if not text[:1].isdigit():
        return None
    try:
        return parse_time(text)
    except ValueError:
        return None


def typed(value: Any, kind: Any) -> Any:
    """A value with its JSON-LD type (or `valueType`) → Moment, Day or TimeOfDay where it is one."""
    if not isinstance(value, str) or not isinstance(kind, str):
        return value
    name = re.split(r"[/#:]", kind)[-1].lower()
    if name == "datetime":
        micros = moment_of(value)
        return value if micros is None else Moment(micros)
    if name == "date":
        return value if day_of(value) is None else Day(value)
    if name == "time":
        micros = time_of(value)
        return value if micros is None else TimeOfDay(micros)
    return value


def unwrap(value: Any) -> Any:
    """`{"@type": …, "@value": …}` → the typed value; anything else stays."""
    if type(value) is dict and "@value" in value:
        return typed(value["@value"], value.get("@type"))
    return value


def scan_literal(scanner: Scanner, words: Callable[[str], str] | None = None) -> Literal:
    """Parse one value here; `words` (expandValues) turns names and texts into IRIs."""
    scanner.skip_space()
    if scanner.text.startswith('"', scanner.pos):
        text = scan_quoted(scanner)
        return Literal(TEXT, text, text) if words is None else _word(text, words)
    for pattern, make in _FORMS:
        match = pattern.match(scanner.text, scanner.pos)
        if match is not None:
            literal = make(scanner, match.group())
            scanner.pos = match.end()
            return literal
    return _bare(scanner, words)


def scan_quoted(scanner: Scanner) -> str:
    """Parse a JSON string here."""
    match = _QUOTED.match(scanner.text, scanner.pos)
    if match is None:
        scanner.error("a closed JSON string")
    try:
        text = json.loads(match.group())
        text.encode()
    except ValueError:
        scanner.error("a valid JSON string")
    scanner.pos = match.end()
    return str(text)


def _bare(scanner: Scanner, words: Callable[[str], str] | None) -> Literal:
    match = _WORD.match(scanner.text, scanner.pos)
    if match is None:
        scanner.error("a value")
    word = match.group()
    if word in ("true", "false"):
        literal = Literal(BOOLEAN, word == "true", word)
    elif _URI.fullmatch(word):
        literal = Literal(URI, word, word)
    elif words is not None:
        literal = _word(word, words)
    else:
        scanner.error('a number, "quoted text", date-time, date, time, true, false or URI')
    scanner.pos = match.end()
    return literal


def _word(text: str, words: Callable[[str], str]) -> Literal:
    expanded = words(text)
    return Literal(TEXT, expanded, expanded)


def _number(scanner: Scanner, text: str) -> Literal:
    if len(text) > _MAX_NUMBER:
        scanner.error(f"a number of at most {_MAX_NUMBER} characters")
    value: int | float = float(text) if any(c in text for c in ".eE") else int(text)
    if isinstance(value, float) and not math.isfinite(value):
        scanner.error("a number that a double can hold")
    return Literal(NUMBER, value, text)


def _temporal(kind: str, parse: Callable[[str], int | str], scanner: Scanner, text: str) -> Literal:
    try:
        return Literal(kind, parse(text), text)
    except (ValueError, OverflowError):
        scanner.error(f"a {kind} that exists")


_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[Scanner, str], Literal]], ...]] = (
    (_DATETIME, partial(_temporal, DATETIME, parse_iso)),
    (_DATE, partial(_temporal, DATE, parse_date)),
    (_TIME, partial(_temporal, TIME, parse_time)),
    (_NUMBER, _number),
)
