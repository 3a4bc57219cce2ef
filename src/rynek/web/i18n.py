"""Languages: catalogues, negotiation, and dates and numbers as people of a language write them.

Catalogues are read from their `.po` files, so a translator's edit needs no build step.
"""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from gettext import GNUTranslations
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import Translations

__all__ = ["LANGUAGES", "Translator", "frontend_messages", "negotiate", "translator"]

LANGUAGES: Final[dict[str, str]] = {
    "en": "English",
    "pl": "Polski",
    "cs": "Čeština",
    "bg": "Български",
    "uk": "Українська",
    "sr": "Српски",
}
"""Language code → its name in the language itself. Serbian is written in Cyrillic."""

DEFAULT: Final = "en"
_WRITTEN_OUT: Final = 1e15
_LOCALES: Final = Path(__file__).parent / "locale"
_PLURALS: Final[dict[str, list[str]]] = {
    "en": ["one", "other"],
    "bg": ["one", "other"],
    "pl": ["one", "few", "many"],
    "uk": ["one", "few", "many"],
    "cs": ["one", "few", "other"],
    "sr": ["one", "few", "other"],
}
"""CLDR plural categories in the order of each catalogue's gettext plural forms."""


def catalogue(language: str) -> Path:
    """The catalogue file of `language`."""
    return _LOCALES / language / "LC_MESSAGES" / "rynek.po"


def negotiate(query: str | None, cookie: str | None, accept: str | None) -> str:
    """The language to answer in: `?lang=`, else the cookie, else Accept-Language, else English."""
    for wish in (query, cookie):
        if wish in LANGUAGES:
            return wish
    return _accepted(accept or "")


def _accepted(header: str) -> str:
    ranked: list[tuple[float, str]] = []
    for item in header[:1000].split(","):
        tag, _, weight = item.strip().partition(";q=")
        code = tag.strip().lower().split("-")[0]
        try:
            rank = float(weight) if weight else 1.0
        except ValueError:
            continue
        if code in LANGUAGES and rank > 0:
            ranked.append((rank, code))
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else DEFAULT


class Translator:
    """One language: messages, and dates, numbers and durations in its customs."""

    def __init__(self, language: str, messages: Translations | GNUTranslations) -> None:
        self.language = language
        self.messages = messages
        # English as Europe writes it: 24 hours, day before month.
        self.locale = Locale.parse("en_GB" if language == "en" else language)

    def __call__(self, message: str, /, **values: object) -> str:
        """The message in this language; `%(name)s` filled from `values`."""
        if not message:
            return ""
        text = self.messages.gettext(message)
        return text % values if values else text

    def n(self, one: str, many: str, num: int, /, **values: object) -> str:
        """The right plural form for `num`, which fills `%(num)s` as a written number."""
        text = self.messages.ngettext(one, many, num)
        return text % ({"num": self.number(num)} | values)

    def number(self, value: float, digits: int = 3, *, fixed: bool = False) -> str:
        """A number with the language's separators and at most `digits` decimals (as many in a
        column: `fixed`); "1.700e+308" where that would be too long."""
        if not abs(value) < _WRITTEN_OUT:
            return f"{value:.{digits}e}"
        pattern = "#,##0" + ("." + ("0" if fixed else "#") * digits if digits else "")
        return format_decimal(value, format=pattern, locale=self.locale)

    def signed(self, value: float, digits: int) -> str:
        """A difference in a column, with its sign."""
        text = self.number(abs(value), digits, fixed=True)
        return text if round(value, digits) == 0 else ("−" if value < 0 else "+") + text

    def percent(self, share: float) -> str:
        """A share of one as per cent."""
        return format_percent(share, locale=self.locale)

    def moment(self, micros: int, zone: str, form: str = "medium") -> str:
        """Epoch microseconds as date and time on the walls of `zone`."""
        return format_datetime(_local(micros, zone), format=form, locale=self.locale)

    def minute(self, micros: int, zone: str) -> str:
        """Epoch microseconds as date and time of day on the walls of `zone`, without seconds."""
        return f"{self.date(micros, zone, 'medium')}, {self.time(micros, zone)}"

    def date(self, micros: int, zone: str, form: str = "long") -> str:
        """Epoch microseconds as a date in `zone`."""
        return format_date(_local(micros, zone), format=form, locale=self.locale)

    def time(self, micros: int, zone: str, form: str = "short") -> str:
        """Epoch microseconds as a time of day in `zone`."""
        return format_time(_local(micros, zone), format=form, locale=self.locale)

    def age(self, micros: int) -> str:
        """A duration as in "3 minutes ago" (or "in 3 minutes" where it is negative)."""
        delta = timedelta(microseconds=-micros)
        return format_timedelta(delta, add_direction=True, threshold=1.5, locale=self.locale)

    def duration(self, seconds: float) -> str:
        """A duration as in "3 minutes"."""
        return format_timedelta(timedelta(seconds=seconds), threshold=1.5, locale=self.locale)

    def country(self, code: str) -> str:
        """The name of an ISO 3166-1 country; the code itself where it has none."""
        return str(self.locale.territories.get(code.upper(), code))


def _local(micros: int, zone: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).astimezone(
        ZoneInfo(zone)
    )


@cache
def translator(language: str) -> Translator:
    """The translator of one of LANGUAGES; English where there is no such language."""
    path = catalogue(language)
    if language not in LANGUAGES or not path.exists():
        return Translator(language if language in LANGUAGES else DEFAULT, Translations())
    with path.open("rb") as source:
        messages = read_po(source, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return Translator(language, Translations(compiled))


@cache
def frontend_messages(language: str) -> tuple[bytes, str]:
    """What `frontend/src/i18n.ts` loads (JSON bytes) and a short hash of it for its URL.

    Members: `language`, `plurals` (CLDR categories in catalogue order), `messages` (English →
    translation, or a list of plural forms). English needs no messages.
    """
    messages: dict[str, str | list[str]] = {}
    path = catalogue(language)
    if path.exists():
        with path.open("rb") as source:
            entries = list(read_po(source, locale=language))
        for entry in entries:
            if not entry.id or not any(str(f).startswith("frontend/") for f, _ in entry.locations):
                continue
            key = entry.id if isinstance(entry.id, str) else entry.id[0]
            words = entry.string if isinstance(entry.string, str) else list(entry.string or ())
            if words and all(words):
                messages[key] = words
    body = json.dumps(
        {"language": language, "plurals": _PLURALS[language], "messages": messages},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    return body, hashlib.sha256(body).hexdigest()[:12]
