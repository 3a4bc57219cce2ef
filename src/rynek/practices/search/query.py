"""What somebody typed, as something to look for.

    query = { ["-"] ( word | '"' words '"' ) }

Everything else parts words: no character has a meaning for the index behind it. Words in quotes stand
side by side in that order; what follows a minus sign must not be there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from rynek.base.errors import BadRequestData
from rynek.practices.saying import say
from rynek.practices.search.glossary import Glossary
from rynek.practices.search.stems import Language
from rynek.practices.search.words import LANGUAGES, Word, keys, words

__all__ = ["MAX_QUERY", "MAX_WORDS", "Query", "Term", "parsed", "with_concepts"]

MAX_QUERY: Final = 500
MAX_WORDS: Final = 24
_PIECE: Final = re.compile(r'(?P<not>(?<!\S)-(?=\S))?(?:"(?P<phrase>[^"]*)"|(?P<words>[^\s"]+))')


class Term(NamedTuple):
    """One word of a query: as typed, and its keys in the languages it may be of; `group` numbers the
    row of words it stands in, `phrase` and `without` say how."""

    text: str
    keys: dict[Language, str]
    group: int
    phrase: bool = False
    without: bool = False
    mended: bool = False


class Query(NamedTuple):
    """The words of a query in their order, and which concepts they name: (first word, after the
    last, concept)."""

    terms: tuple[Term, ...]
    concepts: tuple[tuple[int, int, str], ...]

    @property
    def wanted(self) -> tuple[Term, ...]:
        """The words that are looked for."""
        return tuple(term for term in self.terms if not term.without)


def parsed(text: str, known: Glossary, language: Language | None = None) -> Query:
    """Read a query; `language`, where it is known, is the only one that Latin words are read in
    besides Cyrillic typed in Latin letters.

    BadRequestData for one that is too long.
    """
    if len(text) > MAX_QUERY:
        raise BadRequestData(say("search-long", most=MAX_QUERY, found=len(text)))
    terms: list[Term] = []
    open_group: tuple[int, bool] | None = None
    number = 0
    for piece in _PIECE.finditer(text):
        phrase, without = piece["phrase"] is not None, piece["not"] is not None
        loose = not phrase and not without
        if not loose or open_group is None:
            number += 1
            open_group = (number, loose) if loose else None
        terms += [
            Term(word.text, _keys(word, language), number, phrase, without)
            for word in words(piece["phrase"] if phrase else piece["words"])
        ]
    kept = [term for term in terms if any(term.keys.values())] or terms
    if len(kept) > MAX_WORDS:
        raise BadRequestData(say("search-words", most=MAX_WORDS, found=len(kept)))
    return with_concepts(kept, known)


def with_concepts(terms: Sequence[Term], known: Glossary) -> Query:
    """Words as a query, with the concepts that they name."""
    return Query(tuple(terms), tuple(_concepts(terms, known)))


def _keys(word: Word, language: Language | None) -> dict[Language, str]:
    found = keys(word.text)
    if language in found:
        found = {language: found[language]} | {
            other: found[other] for other in ("bg", "uk") if other in found
        }
    return {code: one for code, one in found.items() if one}


def _concepts(terms: Sequence[Term], known: Glossary) -> list[tuple[int, int, str]]:
    """Concepts that the words name in any one language; a word within a longer name names nothing of
    its own in that language."""
    found: dict[tuple[int, int, str], None] = {}
    for language in LANGUAGES:
        row = [term.keys.get(language, "") if not term.without else "" for term in terms]
        taken: list[tuple[int, int]] = []
        for mention in known.mentions(row, language):
            span = (mention.start, mention.end)
            if len({term.group for term in terms[mention.start : mention.end]}) > 1:
                continue
            if any(a <= span[0] and span[1] <= b and (a, b) != span for a, b in taken):
                continue
            taken.append(span)
            found[(*span, mention.concept)] = None
    return list(found)
