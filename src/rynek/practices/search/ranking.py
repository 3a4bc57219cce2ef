"""In which order: how much of a query an entry has, and where; then BM25."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from rynek.practices.search.index import concept_key
from rynek.practices.search.plan import Plan, Wish

__all__ = ["WEIGHTS", "Candidate", "score"]

# Of the columns title, body, meant, within, above, alike, in BM25.
WEIGHTS: Final = (5.0, 1.0, 6.0, 2.5, 0.7, 0.3)
# How well a word is met: as itself or its concept in the title, or in the text; by a narrower concept
# or within a longer name; by a word that looks alike.
_TITLE: Final = 1.0
_TEXT: Final = 0.6
_ABOVE: Final = 0.3
_ALIKE: Final = 0.25
# A name of several words says more than the same words one by one.
_TOGETHER: Final = 0.25


class Candidate(NamedTuple):
    """A row that matches: its BM25 (greater is better) and its columns, a space around each key."""

    row: int
    bm25: float
    title: str
    body: str
    meant: str
    within: str
    above: str
    alike: str


def score(plan: Plan, candidate: Candidate, best: float) -> float:
    """The share of the query that is met, and a third of that again by BM25 against the best."""
    total = sum(wish.weight for wish in plan.wishes) or 1.0
    met = sum(wish.weight * _met(wish, candidate) for wish in plan.wishes)
    return met / total + (candidate.bm25 / best / 3 if best > 0 else 0.0)


def _met(wish: Wish, candidate: Candidate) -> float:
    ways = [0.0]
    for key in wish.keys:
        if f" {key} " in candidate.title:
            ways.append(_TITLE)
        elif f" {key} " in candidate.body:
            ways.append(_TEXT)
    ways.append(_met_as(wish.concepts, candidate))
    if any(f" {one} " in candidate.alike for one in wish.alike):
        ways.append(_ALIKE)
    return max(ways)


def _met_as(concepts: Mapping[str, int], candidate: Candidate) -> float:
    best = 0.0
    for name, size in concepts.items():
        key = f" {concept_key(name)} "
        more = _TOGETHER if size > 1 else 0.0
        if key in candidate.meant:
            best = max(best, _TITLE + more)
        elif key in candidate.within:
            best = max(best, _TEXT + more)
        elif key in candidate.above:
            best = max(best, _ABOVE)
    return best
