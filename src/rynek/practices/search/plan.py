"""A query as expressions of FTS5, from strict to lenient. Only keys made here reach it, in quotes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, groupby
from typing import Final, NamedTuple

from rynek.base.sqlite import Connection
from rynek.practices.search.glossary import glossary
from rynek.practices.search.index import concept_key, kin_key
from rynek.practices.search.query import Query, Term, with_concepts

__all__ = ["Plan", "Wish", "expressions", "planned"]

# A word that so many have says little; it is not looked for where another one is.
_COMMON: Final = 5_000


class Wish(NamedTuple):
    """One word of a query: keys that it may have, concepts that it names alone or with others (and
    with how many), coarser keys; `entries` that have any of them at most, and `weight`, what it
    counts."""

    keys: tuple[str, ...]
    concepts: dict[str, int]
    alike: tuple[str, ...]
    entries: int
    weight: float
    prefix: bool = False

    def expression(self) -> str:
        """What matches it."""
        names = [concept_key(name) for name in self.concepts]
        # Of a word that nobody has, what begins with it.
        keys = [_quoted(one) + ("*" if self.prefix and len(one) >= 4 else "") for one in self.keys]
        return "(" + " OR ".join([*keys, *map(_quoted, (*names, *self.alike))]) + ")"


class Plan(NamedTuple):
    """What is looked for: wishes, phrases (rows of keys by language), and what must not be there."""

    wishes: tuple[Wish, ...]
    phrases: tuple[str, ...]
    without: tuple[str, ...]


def planned(
    query: Query, database: Connection, entries: int, visible: Callable[[str], bool]
) -> Plan:
    """Look up how common each word is, and what it counts by that; `visible` says whether an entry
    that the viewer may see matches an expression."""
    wishes = []
    for place, term in enumerate(query.terms):
        if term.without:
            continue
        concepts = {
            name: end - start for start, end, name in query.concepts if start <= place < end
        }
        if term.keys:
            wishes.append(_wish(term, concepts, database, entries, visible))
    return Plan(tuple(wishes), tuple(_phrases(query.terms)), tuple(_without(query.terms)))


def _wish(
    term: Term,
    concepts: dict[str, int],
    database: Connection,
    entries: int,
    visible: Callable[[str], bool],
) -> Wish:
    keys = tuple(dict.fromkeys(term.keys.values()))
    alike = tuple({kin_key(one) for one in keys} - {""})
    counts = {one: _entries(database, one) for one in (*keys, *map(concept_key, concepts), *alike)}
    # Not by the counts, which are of closed cards too: what is found would tell that they have it.
    prefix = bool(keys) and not concepts and not visible(" OR ".join(map(_quoted, (*keys, *alike))))
    total = min(entries, sum(counts.values()))
    weight = math.log1p((entries + 1) / (total + 0.5)) + 0.1
    if term.mended:
        # It may have been right, and only nobody has it.
        weight /= 2
    return Wish(keys, concepts, alike, total, weight, prefix)


def _entries(database: Connection, one: str) -> int:
    row = database.execute("SELECT entries FROM frequency WHERE key = ?", (one,)).fetchone()
    return int(row[0]) if row else 0


def expressions(plan: Plan) -> Iterator[str]:
    """Expressions, each more lenient than the one before: all words, all but one, any."""
    seen = set()
    for needed in _needed(plan.wishes):
        found = _joined(plan, needed)
        if found and found not in seen:
            seen.add(found)
            yield found


def _needed(wishes: Sequence[Wish]) -> Iterator[list[str]]:
    """Ways in which enough of the words are there."""
    told = [wish.expression() for wish in wishes]
    if not told:
        yield []
        return
    yield [" AND ".join(told)]
    if 3 <= len(told) <= 8:
        yield [f"({' AND '.join(some)})" for some in combinations(told, len(told) - 1)]
    rare = [wish for wish in wishes if wish.entries <= _COMMON]
    yield [wish.expression() for wish in rare or sorted(wishes, key=lambda one: one.entries)[:1]]
    if not rare:
        yield told


def _joined(plan: Plan, ways: Iterable[str]) -> str:
    ways = list(ways)
    parts = [f"({' OR '.join(ways)})"] if ways else []
    found = " AND ".join([*parts, *plan.phrases])
    return f"({found}) NOT ({' OR '.join(plan.without)})" if found and plan.without else found


def _phrases(terms: Sequence[Term]) -> Iterator[str]:
    for _, group in groupby(
        (term for term in terms if term.phrase and not term.without), key=_group
    ):
        yield _row(list(group))


def _without(terms: Sequence[Term]) -> Iterator[str]:
    """What must not be there: the words, and what they mean where that has a name."""
    for _, group in groupby((term for term in terms if term.without), key=_group):
        row = list(group)
        named = with_concepts([term._replace(without=False) for term in row], glossary()).concepts
        whole = {name for start, end, name in named if end - start == len(row)}
        yield " OR ".join([_row(row), *(_quoted(concept_key(name)) for name in sorted(whole))])


def _group(term: Term) -> int:
    return term.group


def _row(terms: list[Term]) -> str:
    """Words side by side, read in each language that all of them may be of."""
    rows = {
        " ".join(term.keys[language] for term in terms)
        for language in terms[0].keys
        if all(language in term.keys for term in terms)
    }
    rows = rows or {" ".join(next(iter(term.keys.values()), "") for term in terms)}
    return "(" + " OR ".join(_quoted(row) for row in sorted(rows)) + ")"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
