"""What is meant, whatever it is called: concepts of cities with their words in six languages.

The words stand in glossary/*.toml, a table a concept: `broader` (the concept above it) and a line a
language, its words parted by semicolons. Serbian stands in Cyrillic; its Latin is made of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from rynek.practices.search.alphabets import to_latin
from rynek.practices.search.stems import Language
from rynek.practices.search.words import LANGUAGES, key, words

__all__ = ["Concept", "Glossary", "Mention", "glossary"]

LONGEST: Final = 6


class Concept(NamedTuple):
    """A concept: its name here, the one above it ("" on top), and its words by language."""

    name: str
    broader: str
    words: dict[Language, tuple[str, ...]]


class Mention(NamedTuple):
    """Where words from `start` to `end` (not with it) mean a concept."""

    start: int
    end: int
    concept: str


class Glossary:
    """Concepts, and how they are found in a row of keys."""

    def __init__(self, concepts: dict[str, Concept]) -> None:
        self.concepts = concepts
        self._phrases: dict[Language, dict[tuple[str, ...], tuple[str, ...]]] = {
            language: {} for language in LANGUAGES
        }
        self._known: dict[Language, frozenset[str]] = {}
        for concept in concepts.values():
            for language in LANGUAGES:
                self._learn(concept.name, language, concept.words[language])
        for language, phrases in self._phrases.items():
            self._known[language] = frozenset(one for phrase in phrases for one in phrase)

    def _learn(self, name: str, language: Language, texts: Sequence[str]) -> None:
        phrases = self._phrases[language]
        for text in texts:
            phrase = phrase_of(text, language)
            if phrase and name not in phrases.get(phrase, ()):
                phrases[phrase] = (*phrases.get(phrase, ()), name)

    def above(self, name: str) -> tuple[str, ...]:
        """The concepts above one, nearest first."""
        found: list[str] = []
        while (name := self.concepts[name].broader) and name not in found:
            found.append(name)
        return tuple(found)

    def mentions(self, row: Sequence[str], language: Language) -> list[Mention]:
        """Every concept that consecutive keys of `row` name, their order set aside; the longest
        first. Keys that are "" part words."""
        phrases, known = self._phrases[language], self._known[language]
        found = []
        for start, first in enumerate(row):
            if first not in known:
                continue
            for end in range(start + 1, min(start + LONGEST, len(row)) + 1):
                if row[end - 1] not in known:
                    break
                names = phrases.get(tuple(sorted(row[start:end])))
                if names:
                    found += [Mention(start, end, name) for name in names]
        return sorted(found, key=lambda each: each.start - each.end)

    def knows(self, one: str, language: Language) -> bool:
        """Whether a key is part of any concept's words."""
        return one in self._known[language]

    def vocabulary(self) -> Iterator[tuple[Language, str]]:
        """Every key of every language."""
        for language, known in self._known.items():
            for one in known:
                yield language, one


def phrase_of(text: str, language: Language) -> tuple[str, ...]:
    """The keys of a phrase, sorted; those without weight left out."""
    found = [key(word.text, language) for word in words(text)]
    return tuple(sorted(one for one in found if one))


@cache
def glossary() -> Glossary:
    """The glossary of this package."""
    concepts: dict[str, Concept] = {}
    folder = files("rynek.practices.search").joinpath("glossary")
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".toml"):
            for name, table in tomllib.loads(file.read_text(encoding="utf-8")).items():
                if name in concepts:
                    raise ValueError(f"{file.name}: the concept {name} stands there twice")
                concepts[name] = _concept(name, table)
    return Glossary(concepts)


def _concept(name: str, table: dict[str, str]) -> Concept:
    told = {
        language: tuple(word.strip() for word in table[language].split(";"))
        for language in LANGUAGES
    }
    latin = tuple(to_latin(word.casefold(), "sr") for word in told["sr"])
    told["sr"] = tuple(dict.fromkeys((*told["sr"], *latin)))
    return Concept(name, table.get("broader", ""), told)
