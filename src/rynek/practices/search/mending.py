"""Words that nobody's card has: the nearest that some have, by letters in common and by edits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rynek.base.sqlite import Connection
from rynek.practices.search.glossary import Glossary
from rynek.practices.search.query import Query, Term, with_concepts
from rynek.practices.search.stems import Language

__all__ = ["distance", "mended"]

_CANDIDATES: Final = 60
_SHORTEST: Final = 4


def distance(one: str, other: str, most: int) -> int:
    """Insertions, deletions, changes and swaps of neighbours that part two words; `most` + 1 for
    more than `most` (optimal string alignment)."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def mended(
    query: Query, database: Connection, known: Glossary, visible: Callable[[str], bool]
) -> Query:
    """The query with words that no entry and no concept has in place of them the nearest key that a
    visible entry has or the glossary; `visible` says whether any such entry matches an expression.
    The same query where nothing is near.
    """
    named = {place for start, end, _ in query.concepts for place in range(start, end)}
    terms = [
        term
        if place in named or term.without or term.phrase
        else _mended(term, database, known, visible)
        for place, term in enumerate(query.terms)
    ]
    return query if terms == list(query.terms) else with_concepts(terms, known)


def _mended(
    term: Term, database: Connection, known: Glossary, visible: Callable[[str], bool]
) -> Term:
    if any(visible(f'"{one}"') for one in term.keys.values()):
        return term
    begun = [f'"{one}"*' for one in term.keys.values() if len(one) >= _SHORTEST]
    if begun and visible(" OR ".join(begun)):
        return term
    keys: dict[Language, str] = {}
    nearest = 3
    for language, one in term.keys.items():
        if len(one) < _SHORTEST or not one.isalpha():
            continue
        most = 1 if len(one) < 7 else 2
        for candidate in _near(database, one):
            apart = distance(one, candidate, most)
            if apart > min(most, nearest):
                continue
            if not (known.knows(candidate, language) or visible(f'"{candidate}"')):
                continue
            if apart < nearest:
                keys, nearest = {}, apart
            keys.setdefault(language, candidate)
    return term._replace(keys=keys, mended=True) if keys else term


def _near(database: Connection, one: str) -> list[str]:
    pieces = {one[place : place + 3] for place in range(len(one) - 2)}
    match = " OR ".join(f'"{piece}"' for piece in sorted(pieces))
    rows = database.execute(
        "SELECT key FROM near WHERE near MATCH ? ORDER BY rank LIMIT ?", (match, _CANDIDATES)
    )
    return sorted((key for (key,) in rows), key=lambda key: abs(len(key) - len(one)))
