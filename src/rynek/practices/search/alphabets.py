"""Cyrillic and Latin letters of Bulgarian, Ukrainian and Serbian, each by its official table.

Bulgarian: Transliteration Act (State Gazette 19/2009). Ukrainian: resolution 55 of the Cabinet of
Ministers, 27 January 2010. Serbian: the two alphabets of its orthography, letter by letter.
"""

from __future__ import annotations

import re
from typing import Final, Literal

__all__ = ["Cyrillic", "is_cyrillic", "to_cyrillic", "to_latin"]

Cyrillic = Literal["bg", "uk", "sr"]

_BG: Final = dict(
    zip(
        "абвгдежзийклмнопрстуфхцчшщъьюя",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "zh",
            "z",
            "i",
            "y",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "h",
            "ts",
            "ch",
            "sh",
            "sht",
            "a",
            "y",
            "yu",
            "ya",
        ],
        strict=True,
    )
)
_UK: Final = dict(
    zip(
        "абвгґдеєжзиіїйклмнопрстуфхцчшщюя",
        [
            "a",
            "b",
            "v",
            "h",
            "g",
            "d",
            "e",
            "ie",
            "zh",
            "z",
            "y",
            "i",
            "i",
            "i",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "kh",
            "ts",
            "ch",
            "sh",
            "shch",
            "iu",
            "ia",
        ],
        strict=True,
    )
) | {"ь": "", "'": "", "’": "", "ʼ": ""}
_UK_FIRST: Final = {"є": "ye", "ї": "yi", "й": "y", "ю": "yu", "я": "ya"}
_SR: Final = dict(
    zip(
        "абвгдђежзијклљмнњопрстћуфхцчџш",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "đ",
            "e",
            "ž",
            "z",
            "i",
            "j",
            "k",
            "l",
            "lj",
            "m",
            "n",
            "nj",
            "o",
            "p",
            "r",
            "s",
            "t",
            "ć",
            "u",
            "f",
            "h",
            "c",
            "č",
            "dž",
            "š",
        ],
        strict=True,
    )
)
_TABLES: Final = {"bg": _BG, "uk": _UK, "sr": _SR}
# Digraphs of Serbian Latin that are two letters at the seam of a prefix: инјекција, наджњети.
_SEAMS: Final = re.compile(r"(?<=\bin)j(?=ekc)|(?<=\bkon)j(?=u[gn])|(?<=\bnad)ž(?=[inv])")


def is_cyrillic(text: str) -> bool:
    """Whether any letter is Cyrillic (U+0400 to U+052F)."""
    return any("Ѐ" <= one <= "ԯ" for one in text)


def to_latin(text: str, language: Cyrillic) -> str:
    """Small Cyrillic letters in Latin; what is not of that alphabet stays as it is."""
    if language == "uk":
        return _ukrainian(text)
    if language == "bg":
        text = re.sub(r"ия\b", "иа", text)
    table = _TABLES[language]
    return "".join(table.get(one, one) for one in text)


def _ukrainian(text: str) -> str:
    parts = []
    before = ""
    for one in text:
        if one == "г" and before == "з":
            parts.append("gh")
        elif one in _UK_FIRST and not before.isalpha() and before not in ("'", "’", "ʼ"):
            parts.append(_UK_FIRST[one])
        else:
            parts.append(_UK.get(one, one))
        before = one
    return "".join(parts)


def to_cyrillic(text: str, language: Cyrillic) -> str:
    """Small Latin letters read as that language's Cyrillic, the longest piece first.

    What several letters share (Bulgarian `a` of а and ъ, `y` of й and ь) becomes the first of
    them, so that the result in Latin is `text` again.
    """
    if language == "sr":
        text = _SEAMS.sub(lambda found: f"\N{ZERO WIDTH NON-JOINER}{found[0]}", text)
    first, later = _READINGS[language]
    parts = []
    place = 0
    inside = False
    while place < len(text):
        table = later if inside else first
        for size in (4, 3, 2, 1):
            piece = text[place : place + size]
            if piece in table:
                parts.append(table[piece])
                break
        else:
            piece = text[place]
            parts.append(piece)
        place += len(piece)
        inside = piece[-1].isalpha() or piece == "\N{ZERO WIDTH NON-JOINER}"
    found = "".join(parts).replace("\N{ZERO WIDTH NON-JOINER}", "")
    return re.sub(r"иа\b", "ия", found) if language == "bg" else found


def _reading(table: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for letter, piece in table.items():
        if piece:
            found.setdefault(piece, letter)
    return found


def _readings() -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Pieces at the beginning of a word, and within it."""
    bg, sr = _reading(_BG), _reading(_SR)
    within = _reading(_UK) | {"zgh": "зг"}
    beginning = _reading(
        {letter: piece for letter, piece in _UK.items() if letter not in _UK_FIRST}
    ) | {"zgh": "зг"}
    beginning |= {piece: letter for letter, piece in _UK_FIRST.items()}
    return {"bg": (bg, bg), "sr": (sr, sr), "uk": (beginning, within)}


_READINGS: Final = _readings()
