"""What the forms of a word share, language by language.

English, Polish, Czech and Serbian by Snowball (Serbian in both scripts, the result in Latin).
Bulgarian and Ukrainian have no stemmer there: light ones stand here, which take off articles,
numbers and cases (Bulgarian after J. Savoy, Searching strategies for the Bulgarian language, 2007).
Stems rather than lemmas: the dictionaries of simplemma 2.0 for these six take 580 MB and 16 s to load
(or 70 MB, 34 s and 1.3 ms a word, streamed), have no `паркирането`, `svozů` or `čidly`, and most of
them may not be passed on freely.
"""

from __future__ import annotations

import threading
from typing import Final, Literal

import Stemmer

__all__ = ["Language", "stem"]

Language = Literal["en", "pl", "cs", "bg", "uk", "sr"]

_SNOWBALL: Final = {"en": "english", "pl": "polish", "cs": "czech", "sr": "serbian"}
_VOWELS: Final = "аеєиіїоуюяъ"
_local = threading.local()


def stem(word: str, language: Language) -> str:
    """The stem of a word in small letters."""
    if language == "bg":
        return _bulgarian(word)
    if language == "uk":
        return _ukrainian(word)
    made: dict[str, Stemmer.Stemmer] | None = getattr(_local, "made", None)
    if made is None:
        # One for each thread: a stemmer keeps its word inside.
        made = {code: Stemmer.Stemmer(name, 0) for code, name in _SNOWBALL.items()}
        _local.made = made
    found: str = made[language].stemWord(word)
    if language == "cs":
        # Snowball undoes palatalisation where it sees an ending only: stanice, but not stanic.
        found = found[:-1] + _CS_LAST.get(found[-1:], found[-1:])
    return _without_fleeting(found) if language in ("pl", "cs") else found


_CS_LAST: Final = {"c": "k", "č": "k", "z": "h", "ž": "h"}


def _without_fleeting(word: str) -> str:
    """Genitive plurals have a vowel more: stanic, skládek and skládka, zastávek, ławek."""
    if len(word) > 4 and word[-1] == "k" and word[-2] == "e" and word[-3] not in "aeiouyáéíóúů":
        return word[:-2] + "k"
    return word


_BG_ARTICLES: Final = ("ият", "ията", "ът", "ят", "то", "те", "та")
_BG_PLURALS: Final = (
    ("овци", "о"),
    ("ове", ""),
    ("еве", "й"),
    ("ища", "ищ"),
    ("ци", "к"),
    ("зи", "г"),
)


def _bulgarian(word: str) -> str:
    if len(word) < 4:
        return word
    for ending in _BG_ARTICLES:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if ending in ("ият", "ията"):
                word += "и" if ending == "ият" else "ия"
            break
    for ending, instead in _BG_PLURALS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + instead
            break
    if len(word) > 4 and word.endswith(("ия", "ии", "ие")):
        word = word[:-1]
    while len(word) > 3 and word[-1] in "аоеияй":
        word = word[:-1]
    if len(word) > 4 and word.endswith("ен") and word[-3] not in _VOWELS:
        word = word[:-2] + "н"
    if len(word) > 4 and word[-2] == "ъ":
        word = word[:-2] + word[-1]
    return word


_UK_ENDINGS: Final = sorted(
    [
        "ями",
        "ами",
        "ові",
        "еві",
        "єві",
        "ого",
        "ому",
        "ими",
        "іми",
        "ої",
        "ою",
        "ею",
        "єю",
        "ів",
        "їв",
        "ах",
        "ях",
        "ам",
        "ям",
        "ом",
        "ем",
        "єм",
        "ий",
        "ій",
        "їй",
        "их",
        "іх",
        "їх",
        "им",
        "ім",
        "їм",
        "а",
        "я",
        "у",
        "ю",
        "о",
        "е",
        "є",
        "и",
        "і",
        "ї",
        "ь",
        "й",
        "ія",
        "ії",
        "ію",
        "ією",
        "іями",
        "іях",
        "іям",
        "ість",
        "істю",
        "ості",
        "остей",
        "остями",
        "ється",
        "ються",
        "увати",
        "ував",
        "ували",
        "уємо",
        "ує",
        "ують",
    ],
    key=len,
    reverse=True,
)


def _ukrainian(word: str) -> str:
    if len(word) < 4:
        return word
    for ending in _UK_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    word = word.rstrip("ьй")
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    if len(word) > 4 and word[-1] in "клцн" and word[-2] in "оеі" and word[-3] not in _VOWELS:
        # зупинок and зупинка, закупівель and закупівля, кілець and кільця
        return word[:-2].rstrip("ь") + word[-1]
    return word
