"""Reasons that people read: a message id with parameters, said in each language from TOML files.

A catalogue is a folder of TOML files. A table is a message, its keys are languages, its fields are
`{name}` or `{name:kind}`; a language whose words depend on a number has a table of plural forms
(CLDR categories) with `by`, the parameter that decides. Kinds are keys of _KINDS. The plain English
form, for logs, terminals and the `reason` of JSON, writes numbers and dates as data have them.
"""

from __future__ import annotations

import functools
import math
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final

from rynek.base.toml import read_toml

__all__ = ["LANGUAGES", "Catalogue", "Message", "power_of_ten", "written_out", "written_period"]

LANGUAGES: Final = ("en", "pl", "cs", "bg", "uk", "sr")
_DEEPEST: Final = 4
_MOST: Final = 200
_LONGEST: Final = 2000
_WRITTEN_OUT: Final = 1e15
_TINY: Final = 1e-6
_RAISED: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_QUOTES: Final = {"en": "“”", "uk": "«»", "cs": "„“", "pl": "„”", "bg": "„“", "sr": "„“"}
_DAY: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d:\d\d).*)?")
_MONTH: Final = re.compile(r"(\d{4})-(\d\d)")

Segments = tuple[tuple[str, str | None, str], ...]
"""Of a template: text, then the name of a field and its kind; the last may have no field."""


@dataclass(frozen=True)
class Message:
    """What is said, without its words: `str()` is the plain English form, `text` that of a
    language. Parameters are what JSON holds, and messages (or lists of them) within."""

    id: str
    parameters: Mapping[str, Any]
    catalogue: Catalogue = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.catalogue.words(self, _Voice("en", plain=True))

    def text(self, language: str, called: Mapping[str, str] | None = None) -> str:
        """In a language, English where there is no such one; `called` are names that things have
        there by the ids that parameters name them by."""
        return self.catalogue.words(self, _voice(language, called or {}))

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "id": self.id,
            "parameters": {name: _document(value) for name, value in self.parameters.items()},
        }


class Catalogue:
    """The messages of a folder: called with an id and parameters it makes one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, /, **parameters: Any) -> Message:
        """A message; KeyError where the catalogue has no such id or it lacks a parameter."""
        lacking = self.fields[name].keys() - parameters.keys()
        if lacking:
            raise KeyError(f"{name}: {sorted(lacking)}")
        return Message(name, {key: _value(each) for key, each in parameters.items()}, self)

    @functools.cached_property
    def entries(self) -> dict[str, dict[str, Any]]:
        """Every message by id: its words by language."""
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(self.folder.glob("*.toml")):
            told = read_toml(path, "catalogue of messages")
            twice = found.keys() & told.keys()
            if twice:
                raise ValueError(f"{path.name}: {sorted(twice)} stand in another file too")
            found |= told
        return found

    @functools.cached_property
    def fields(self) -> dict[str, dict[str, str]]:
        """The parameters of each message and their kinds, by its English words."""
        return {name: fields_of(words["en"]) for name, words in self.entries.items()}

    def read(self, document: Any, depth: int = 0) -> Message | None:
        """A message from JSON; None where it is none that this catalogue can say: one of another
        version of rynek, or of somebody who made it up."""
        if not isinstance(document, dict) or depth > _DEEPEST:
            return None
        name, told = document.get("id"), document.get("parameters")
        if not isinstance(name, str) or name not in self.entries or not isinstance(told, dict):
            return None
        if self.fields[name].keys() - told.keys() or len(told) > _MOST:
            return None
        read = {key: self._read(value, depth) for key, value in told.items()}
        return None if _NONE in read.values() else Message(name, read, self)

    def _read(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            found = self.read(value, depth + 1)
            return _NONE if found is None else found
        if isinstance(value, list):
            every = [self._read(one, depth + 1) for one in value[:_MOST]]
            return _NONE if _NONE in every or depth > _DEEPEST else every
        if isinstance(value, str):
            return value[:_LONGEST]
        if isinstance(value, int) and value.bit_length() > 64:
            return _NONE
        return value if isinstance(value, int | float) else _NONE

    def words(self, message: Message, voice: _Voice) -> str:
        """A message as a voice says it."""
        words = self.entries[message.id][voice.language]
        if isinstance(words, dict):
            words = words[voice.plural(message.parameters[words["by"]], words)]
        return "".join(
            text if name is None else text + voice.said(message.parameters[name], kind)
            for text, name, kind in segments(words)
        )


_NONE: Final = object()


@functools.cache
def segments(template: str) -> Segments:
    """A template in its parts."""
    return tuple(
        (text, name, kind or "") for text, name, kind, _ in string.Formatter().parse(template)
    )


def fields_of(words: str | Mapping[str, str]) -> dict[str, str]:
    """The parameters of a message's words in one language, and their kinds."""
    if isinstance(words, str):
        return {name: kind for _, name, kind in segments(words) if name is not None}
    found = {words["by"]: ""}
    for form, each in words.items():
        if form != "by":
            found |= fields_of(each)
    return found


def _value(value: Any) -> Any:
    if isinstance(value, Message | str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Sequence):
        return [_value(one) for one in value]
    return str(value)


def _document(value: Any) -> Any:
    if isinstance(value, Message):
        return value.document()
    if isinstance(value, list):
        return [_document(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


class _Voice:
    """How a language writes numbers, dates and names; `plain` as data have them."""

    def __init__(
        self, language: str, called: Mapping[str, str] | None = None, *, plain: bool = False
    ) -> None:
        self.language, self.is_plain = language, plain
        self.called = called or {}

    @functools.cached_property
    def locale(self) -> Any:
        """Babel's; English as Europe writes it, as pages do."""
        from babel import Locale

        return Locale.parse("en_GB" if self.language == "en" else self.language)

    def plural(self, count: Any, forms: Mapping[str, str]) -> str:
        """The CLDR category of a number among those that a message has."""
        category = self.locale.plural_form(count) if _counts(count) else "other"
        return category if category in forms else "other"

    def said(self, value: Any, kind: str) -> str:
        """A parameter by its kind."""
        if isinstance(value, Message):
            return value.catalogue.words(value, self)
        if kind in _JOINTS:
            every = value if isinstance(value, list) else [value]
            inner = "name" if kind == "names" else "called"
            return _JOINTS[kind].join(self.said(one, inner) for one in every)
        return _KINDS[kind](self, value)

    def number(self, value: Any, digits: int, *, fixed: bool = False) -> str:
        """With so many decimals; zeros at the end are left out unless `fixed`."""
        if not _counts(value):
            return str(value)
        if not math.isfinite(value) or (self.is_plain and abs(value) >= _WRITTEN_OUT):
            return f"{value:.3g}"
        if abs(value) >= _WRITTEN_OUT:
            return power_of_ten(value, 3, self.locale)
        if self.is_plain:
            text = f"{value:.{digits}f}"
            return text if fixed or "." not in text else text.rstrip("0").rstrip(".")
        from babel.numbers import format_decimal

        tail = f".{('0' if fixed else '#') * digits}" if digits else ""
        text = format_decimal(value, f"#,##0{tail}", locale=self.locale)
        return str(text).replace("-", "−")

    def significant(self, value: Any, figures: int) -> str:
        """With so many significant figures; whole numbers are not rounded."""
        if not _counts(value) or not math.isfinite(value):
            return str(value)
        if value == 0:
            return "0"
        if self.is_plain and 0 < abs(value) < 1e-4:
            return f"{value:.{figures}g}"
        if abs(value) < _TINY:
            return power_of_ten(value, figures, self.locale)
        digits = figures - 1 - math.floor(math.log10(abs(value)))
        return self.number(value, min(12, max(0, digits)))

    def share(self, value: Any, digits: int = 0) -> str:
        """Per cent of a share of one."""
        if not _counts(value) or not math.isfinite(value):
            return str(value)
        if self.is_plain or abs(value) >= _WRITTEN_OUT:
            return f"{value:.{digits}%}" if abs(value) < _WRITTEN_OUT else f"{100 * value:.3g}%"
        from babel.numbers import format_percent

        pattern = self.locale.percent_formats[None].pattern
        if digits:
            pattern = pattern.replace("0", "0." + "0" * digits)
        return str(format_percent(value, pattern, locale=self.locale)).replace("-", "−")

    def degree(self, value: Any) -> str:
        """Per cent with up to two decimals: of confidence, 97.5 % is neither 97 nor 98."""
        digits = next(
            (one for one in (0, 1) if abs(100 * value - round(100 * value, one)) < 1e-9), 2
        )
        return self.share(value, digits)

    def name(self, value: Any) -> str:
        """What something is called, in quotation marks."""
        if self.is_plain:
            return repr(str(value))
        marks = _QUOTES[self.language]
        return f"{marks[0]}{self.called.get(str(value), value)}{marks[1]}"

    def period(self, value: Any) -> str:
        """A day or a month in figures; what is neither as it is."""
        text = str(value)
        found = None if self.is_plain else _DAY.fullmatch(text) or _MONTH.fullmatch(text)
        if found is None:
            return text
        from babel.dates import format_date, format_skeleton

        parts = [int(one) for one in found.groups()[:3]]
        try:
            day = date(*(parts if len(parts) == 3 else (*parts, 1)))
        except ValueError:
            return text
        english = self.language == "en"
        if len(parts) == 2:
            return str(format_skeleton("yMMM" if english else "yM", day, locale=self.locale))
        # Months in figures stand in no case.
        said = format_date(day, locale=self.locale) if english else None
        said = said or str(format_skeleton("yMd", day, locale=self.locale))
        return f"{said}, {found[4]}" if found[4] else said


@functools.lru_cache(maxsize=len(LANGUAGES))
def _plain_voice(language: str) -> _Voice:
    return _Voice(language)


def _voice(language: str, called: Mapping[str, str]) -> _Voice:
    known = language if language in LANGUAGES else "en"
    return _Voice(known, called) if called else _plain_voice(known)


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def written_out(value: float) -> bool:
    """Whether a number is of a size that people write out."""
    return value == 0 or _TINY <= abs(value) < _WRITTEN_OUT


def power_of_ten(value: float, figures: int, locale: Any) -> str:
    """A number that is too large or too small to be written out: 1.23 × 10⁻¹³."""
    from babel.numbers import format_decimal

    written, _, power = f"{value:.{figures - 1}e}".partition("e")
    first = format_decimal(float(written), f"0.{'#' * (figures - 1)}", locale=locale)
    return f"{first.replace('-', '−')} × 10{str(int(power)).translate(_RAISED)}"


def written_period(label: str, language: str) -> str:
    """A day or a month ("2019-05") as a language writes it; what is neither as it is."""
    return _voice(language, {}).period(label)


def _any(voice: _Voice, value: Any) -> str:
    if not _counts(value):
        return str(value)
    if voice.is_plain and isinstance(value, int):
        return str(value)
    return voice.significant(value, 3)


_JOINTS: Final = {"list": ", ", "parts": "; ", "names": ", "}
_KINDS: Final[Mapping[str, Callable[[_Voice, Any], str]]] = {
    "": _any,
    "called": lambda voice, value: voice.called.get(str(value), str(value)),
    "n": lambda voice, value: voice.number(value, 0),
    "2": lambda voice, value: voice.significant(value, 2),
    "3": lambda voice, value: voice.significant(value, 3),
    "6": lambda voice, value: voice.significant(value, 6),
    "p": lambda voice, value: voice.number(value, 3, fixed=True),
    "f1": lambda voice, value: voice.number(value, 1, fixed=True),
    "f2": lambda voice, value: voice.number(value, 2, fixed=True),
    "%": lambda voice, value: voice.share(value),
    "%1": lambda voice, value: voice.share(value, 1),
    "degree": lambda voice, value: voice.degree(value) if _counts(value) else str(value),
    "name": lambda voice, value: voice.name(value),
    "period": lambda voice, value: voice.period(value),
}
"""Kinds of parameters, beside those of _JOINTS: lists, parts of a sentence, names."""
