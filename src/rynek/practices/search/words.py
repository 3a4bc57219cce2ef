"""Text as words with their places, and the keys by which words of six languages meet."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple, get_args

from rynek.practices.search.alphabets import Cyrillic, is_cyrillic, to_cyrillic, to_latin
from rynek.practices.search.stems import Language, stem

__all__ = ["LANGUAGES", "Word", "folded", "key", "keys", "kin", "language_of", "read", "words"]

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
_CYRILLIC: Final[tuple[Cyrillic, ...]] = get_args(Cyrillic)
# A letter or digit, then letters, marks on them and apostrophes within (Ukrainian п'ять).
_WORD: Final = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f]|['’ʼ](?=[^\W_]))*")
_APOSTROPHES: Final = str.maketrans("", "", "'’ʼ")
_LONGEST: Final = 40
_LETTERS: Final = str.maketrans(
    {"ł": "l", "đ": "dj", "ø": "o", "ß": "ss", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i"}
)


class Word(NamedTuple):
    """A word of a text: as it stands there in small letters, and from where to where."""

    text: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """The words of a text in their order."""
    for found in _WORD.finditer(text):
        if plain := _plain(found[0]):
            yield Word(plain, found.start(), found.end())


def read(text: str, language: Language) -> tuple[list[str], list[tuple[int, int]]]:
    """The keys of a text's words in their order, "" for those without weight, and where each stands."""
    found = list(_WORD.finditer(text))
    return [_key_as_read(each[0], language) for each in found], [each.span() for each in found]


@lru_cache(maxsize=1 << 17)
def _key_as_read(raw: str, language: Language) -> str:
    return key(plain, language) if (plain := _plain(raw)) else ""


def _plain(raw: str) -> str:
    plain = unicodedata.normalize("NFKC", raw).casefold()
    return plain.removesuffix("'s").removesuffix("’s").translate(_APOSTROPHES)[:_LONGEST]


def folded(text: str) -> str:
    """Latin letters without their marks: Łódź is lodz, Niš is nis."""
    text = unicodedata.normalize("NFD", text.translate(_LETTERS))
    return "".join(one for one in text if not unicodedata.combining(one))


def key(word: str, language: Language) -> str:
    """What the forms of a word have in common, in plain Latin letters; "" for a word of no weight
    (a preposition, an article).

    Cyrillic letters in a text of another language are read by the alphabet they may belong to.
    """
    if word in STOP[language]:
        return ""
    if is_cyrillic(word):
        read: Cyrillic = language if language in _CYRILLIC else _alphabet(word)
        return folded(to_latin(stem(word, read), read))
    return folded(stem(word, language))


@lru_cache(maxsize=1 << 14)
def keys(word: str) -> dict[Language, str]:
    """The keys of a word whose language nobody said, in each language that it may be of.

    A word in Latin letters may also be Bulgarian or Ukrainian as typed without Cyrillic keys.
    """
    found: dict[Language, str] = {}
    if is_cyrillic(word):
        return {one: key(word, one) for one in _alphabets(word)}
    for language in LANGUAGES:
        if language in ("bg", "uk"):
            if word.isascii() and word.isalpha():
                found[language] = key(to_cyrillic(word, language), language)
        else:
            found[language] = key(word, language)
    return found


# Letters that only one of the three has.
_OWN: Final = {"uk": set("іїєґ"), "sr": set("ђјљњћџ"), "bg": set("ъщ")}


def _alphabets(word: str) -> list[Cyrillic]:
    letters = set(word)
    other = {"uk": set("ђјљњћџъыэё"), "sr": set("іїєґйщъьюяыэё"), "bg": set("ђјљњћџіїєґыэё")}
    found = [one for one in _CYRILLIC if not letters & other[one]]
    return found or list(_CYRILLIC)


def _alphabet(word: str) -> Cyrillic:
    return _alphabets(word)[0]


def language_of(text: str, among: tuple[Language, ...] = LANGUAGES) -> Language:
    """The likeliest language of a text, by its letters and its commonest words."""
    found = [each.text for each in words(text[:2000])]
    letters = set("".join(found))

    def votes(language: Language) -> float:
        own = len(letters & _MARKS[language]) / 2
        return own + sum(word in STOP[language] for word in found) - 9 * _foreign(language, letters)

    return max(among, key=votes)


def _foreign(language: Language, letters: set[str]) -> bool:
    cyrillic = any(is_cyrillic(one) for one in letters)
    return cyrillic != (language in _CYRILLIC) and not (language == "sr" and not cyrillic)


_MARKS: Final[dict[Language, set[str]]] = {
    "en": set("wxq"),
    "pl": set("ąęłńśźżćw"),
    "cs": set("ěřůťďňčšžýá"),
    "bg": set("ъщью"),
    "uk": set("іїєґ"),
    "sr": set("ђјљњћџđćčšž"),
}

_KIN: Final = (
    ("shch", "s"),
    ("sht", "s"),
    ("sch", "s"),
    ("dz", "z"),
    ("cz", "c"),
    ("sz", "s"),
    ("rz", "r"),
    ("ch", "c"),
    ("sh", "s"),
    ("zh", "z"),
    ("kh", "h"),
    ("ts", "c"),
    ("ph", "f"),
    ("qu", "kv"),
    ("x", "ks"),
    ("w", "v"),
    ("y", "i"),
    ("j", "i"),
    ("ck", "k"),
    ("th", "t"),
)


def kin(one: str) -> str:
    """A coarser key, the same for words that languages share: kontener, kontejner, container.

    "" where too little would be left to tell words apart.
    """
    if len(one) < 5 or not one.isalpha():
        return ""
    for piece, sound in _KIN:
        one = one.replace(piece, sound)
    one = re.sub(r"c(?=[aou]|[klmnprtv])", "k", one)
    start, rest = one[0], re.sub(r"[aeiou]", "", one[1:])
    rest = re.sub(r"(.)\1+", r"\1", rest)
    return start + rest if len(rest) >= 3 else ""


@cache
def _stop() -> dict[str, frozenset[str]]:
    """Words that stand in every text, by language."""
    path = files("rynek.practices.search").joinpath("stopwords.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {language: frozenset(told.split()) for language, told in table.items()}


STOP: Final = _stop()
