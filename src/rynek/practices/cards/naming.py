"""A card without its city's name: what is left out of it, and what must not stand in its words.

Leaving out the field `city` is not enough: a street, a contract's number, a link or a sentence gives
a city away. Fields that point to it are left out, and a card whose words still say the name is not
kept (`check_nameless` names the field).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from rynek.base.errors import BadRequestData
from rynek.practices.cards.model import Card, City, Claim, Source
from rynek.practices.cards.reading import texts, to_document
from rynek.practices.saying import say

__all__ = ["check_nameless", "names_of", "without_name"]

_SHORTEST: Final = 3
# Endings of cases, of adjectives (brněnský, olomoucký, софийски) and of who lives there (Pražan,
# пловдивчани, Londoner), without marks and in Latin letters.
_ENDING: Final = re.compile(
    r"[aeiouyj]{0,3}|[aeiouyj]{1,3}(m|mi|h|v)|[sc]k\w{0,5}"
    r"|[aeiouyj]{0,2}(en|an|in|ov|ev|n|v)?[sc]?k[aeiouyj]\w{0,4}"
    r"|[cj]?i?an([eiyu]{0,2}|um|in\w{0,4}|k\w{1,3}|ov\w{0,3})|[aeiou]{1,3}n?c[aeiouy]\w{0,2}"
    r"|ers?|ois\w{0,2}|ians?"
)
# Consonants before endings as Slavic languages soften them: Praha, v Praze.
_SOFTENED: Final = {"h": "z", "k": "c", "g": "z"}
_LATIN: Final = {
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "ё": "e", "є": "e",
    "ж": "z", "з": "z", "и": "i", "і": "i", "ї": "i", "й": "i", "ј": "j", "к": "k", "л": "l",
    "љ": "lj", "м": "m", "н": "n", "њ": "nj", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t",
    "ћ": "c", "у": "u", "ф": "f", "х": "h", "ц": "c", "ч": "c", "џ": "dz", "ш": "s", "щ": "s",
    "ъ": "a", "ы": "y", "ь": "", "э": "e", "ю": "u", "я": "a", "ђ": "d", "ł": "l", "ø": "o",
    "đ": "d", "ß": "ss",
}  # fmt: skip


def names_of(card: Card) -> list[str]:
    """What the city is called on the card and in tables that know it, and what its places are."""
    names = [*card.city.name.values(), *card.city.known_as] if card.city else []
    return [*names, *(place.name for place in card.places)]


def check_nameless(card: Card, names: Iterable[str], card_id: str = "") -> None:
    """BadRequestData where words that stay on a nameless card, or its id, say one of `names`."""
    known = _Names(names)
    shown = to_document(without_name(card)) | ({"id": card_id} if card_id else {})
    for path, text in texts(shown):
        said = known.said(text)
        if said:
            raise BadRequestData(say("card-named", path=path, name=said))


def without_name(card: Card) -> Card:
    """The card as others see it: no city but its country and size, and nothing that leads to it."""
    city = card.city
    size = _size(city.population) if city else None
    return msgspec.structs.replace(
        card,
        city=City({}, city.country, size) if city else None,
        places=[],
        funding=[],
        procurement=[],
        partners=[],
        questions=[],
        sources=[],
        phases=[msgspec.structs.replace(each, source=None) for each in card.phases],
        costs=[msgspec.structs.replace(each, source=None) for each in card.costs],
        facts=[msgspec.structs.replace(each, source=None) for each in card.facts],
        barriers=[msgspec.structs.replace(each, source=None) for each in card.barriers],
        claims=[_without_source(each) for each in card.claims],
    )


def _without_source(claim: Claim) -> Claim:
    dated = claim.source.date if claim.source else ""
    return msgspec.structs.replace(claim, source=Source("", date=dated) if dated else None)


def _size(population: int | None) -> int | None:
    """A number of people to one significant figure, so that it names no city."""
    if population is None:
        return None
    unit = 10 ** (len(str(population)) - 1)
    return int(max(1, round(population / unit)) * unit)


def _plain(text: str) -> str:
    """Small Latin letters without marks, so that Praha, Праха and PRAHA are one."""
    letters = unicodedata.normalize("NFD", text.casefold().replace("й", "и"))
    plain = "".join(_LATIN.get(one, one) for one in letters if not unicodedata.combining(one))
    return plain.replace("ch", "h").replace("kh", "h")


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", _plain(text))


class _Stem(NamedTuple):
    """A word of a name without its ending; `alike` are those that it has in other cases."""

    whole: str
    alike: frozenset[str]

    def says(self, word: str) -> bool:
        """Whether `word` is this one in some case, or its adjective."""
        if word == self.whole:
            return True
        for stem in self.alike:
            rest = word[len(stem) :]
            if word.startswith(stem) and _ENDING.fullmatch(rest):
                return True
        return False


def _stems(name: str) -> tuple[_Stem, ...]:
    """A name as words that others may end differently (Praha, Praze, pražský; Київ, Києва)."""
    return tuple(_stem(word) for word in _words(name) if not word.isdigit())


def _joined(stems: tuple[_Stem, ...]) -> tuple[_Stem, ...]:
    """A name of two words as the one that adjectives are made of (Нови Сад, новосадски)."""
    if len(stems) != 2:
        return ()
    begun = min(stems[0].alike, key=len, default=stems[0].whole)
    return (_stem(f"{begun}o{stems[1].whole}"),)


def _stem(word: str) -> _Stem:
    stem = word
    while len(stem) > _SHORTEST and stem[-1] in "aeiouy":
        stem = stem[:-1]
    if len(stem) < _SHORTEST:
        return _Stem(word, frozenset())
    alike = {stem}
    if stem[-1] in _SOFTENED:
        alike.add(stem[:-1] + _SOFTENED[stem[-1]])
    if stem.endswith("iv"):
        alike |= {stem[:-2] + "ev", stem[:-2] + "ov"}
    return _Stem(word, frozenset(alike))


class _Names:
    """Names by how their first words begin, so that a long text is read once."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_start: dict[str, list[tuple[_Stem, ...]]] = {}
        known = {_stems(name) for name in names}
        for stems in known | {_joined(one) for one in known}:
            if stems:
                starts = {stem[:_SHORTEST] for stem in (stems[0].whole, *stems[0].alike)}
                for start in starts:
                    self._by_start.setdefault(start, []).append(stems)

    def said(self, text: str) -> str:
        """Words of `text` that are one of the names; "" where none are."""
        words = _words(text)
        for at, word in enumerate(words):
            for name in self._by_start.get(word[:_SHORTEST], ()):
                if at + len(name) <= len(words) and all(
                    stem.says(words[at + n]) for n, stem in enumerate(name)
                ):
                    return " ".join(words[at : at + len(name)])
        return ""
