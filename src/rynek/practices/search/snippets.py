"""Titles and pieces of text with what was found marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from rynek.practices.search.glossary import Glossary
from rynek.practices.search.index import kin_key
from rynek.practices.search.plan import Plan
from rynek.practices.search.stems import Language
from rynek.practices.search.words import LANGUAGES, language_of, read

__all__ = ["Marker", "Piece", "Snippet", "snippets"]

_BEFORE: Final = 60
_LENGTH: Final = 220
_MOST_CHARACTERS: Final = 20_000


class Piece(NamedTuple):
    """A piece of text, marked or not."""

    text: str
    marked: bool


class Snippet(NamedTuple):
    """A text in one language, in pieces that together are it."""

    language: str
    pieces: tuple[Piece, ...]


class _Marks(NamedTuple):
    language: str
    text: str
    spans: tuple[tuple[int, int], ...]


def snippets(
    texts: Mapping[str, Mapping[str, str]], marker: Marker, preferred: Iterable[str] = ()
) -> tuple[Snippet, Snippet | None]:
    """The title, and the piece of the other texts that has most marks.

    Both are in the first of the `preferred` languages that has marks, else in any that has, else in
    the first of them that there is.
    """
    order = list(dict.fromkeys([*(one for one in preferred if one in texts), *texts]))
    titles = [marker.marked(one, texts[one]["title"]) for one in order if "title" in texts[one]]
    bodies = [
        marker.marked(one, text)
        for one in order
        for part, text in texts[one].items()
        if part != "title"
    ]
    title = titles[0] if titles else _Marks("", "", ())
    first = order[0] if order else ""
    chosen = max(
        bodies,
        key=lambda one: (one.language == first and bool(one.spans), _richness(one)),
        default=None,
    )
    shown = _whole(title)
    return shown, _cut(chosen) if chosen is not None and chosen.text else None


def _richness(marks: _Marks) -> int:
    return max((_within(marks.spans, start) for start, _ in marks.spans), default=0)


def _within(spans: Iterable[tuple[int, int]], start: int) -> int:
    return len({span for span in spans if start <= span[0] < start + _LENGTH - _BEFORE})


class Marker:
    """Tells of each word of a text whether it was looked for."""

    def __init__(self, plan: Plan, known: Glossary) -> None:
        self._known = known
        self._keys = {one for wish in plan.wishes for one in wish.keys}
        self._starts = tuple(one for wish in plan.wishes if wish.prefix for one in wish.keys)
        self._alike = {one for wish in plan.wishes for one in wish.alike}
        self._concepts = {name for wish in plan.wishes for name in wish.concepts}
        self._told: dict[str, bool] = {"": False}
        self._meant: dict[str, bool] = {}

    def marked(self, language: str, text: str) -> _Marks:
        """A text with where the words stand that were looked for, alone or as part of a name."""
        text = text[:_MOST_CHARACTERS]
        code: Language = language if language in LANGUAGES else language_of(text)
        found, spans = read(text, code)
        marked = [self._told[one] if one in self._told else self._look(one) for one in found]
        for mention in self._known.mentions(found, code) if self._concepts else ():
            if self._means(mention.concept):
                marked[mention.start : mention.end] = [True] * (mention.end - mention.start)
        shown = tuple(span for span, yes in zip(spans, marked, strict=True) if yes)
        return _Marks(language, text, shown)

    def _look(self, one: str) -> bool:
        told = one in self._keys or one.startswith(self._starts)
        self._told[one] = told or (bool(self._alike) and kin_key(one) in self._alike)
        return self._told[one]

    def _means(self, concept: str) -> bool:
        if concept not in self._meant:
            names = (concept, *self._known.above(concept))
            self._meant[concept] = not self._concepts.isdisjoint(names)
        return self._meant[concept]


def _whole(marks: _Marks) -> Snippet:
    return Snippet(marks.language, _pieces(marks, 0, len(marks.text)))


def _cut(marks: _Marks) -> Snippet:
    """About a line and a half around the richest place, at the ends of words."""
    start = max(
        (span[0] for span in marks.spans),
        key=lambda one: (_within(marks.spans, one), -one),
        default=0,
    )
    start = max(0, start - _BEFORE)
    if start:
        start = _gap(marks.text, start, start + _BEFORE)
    end = min(len(marks.text), start + _LENGTH)
    if end < len(marks.text):
        end = max(marks.text.rfind(" ", start + _LENGTH // 2, end), start + 1)
    pieces = list(_pieces(marks, start, end))
    if start:
        pieces.insert(0, Piece("… ", False))
    if end < len(marks.text):
        pieces.append(Piece(" …", False))
    return Snippet(marks.language, tuple(pieces))


def _gap(text: str, start: int, end: int) -> int:
    """Where the next word begins."""
    gap = text.find(" ", start, end)
    return gap + 1 if gap >= 0 else start


def _pieces(marks: _Marks, start: int, end: int) -> tuple[Piece, ...]:
    pieces = []
    place = start
    for a, b in marks.spans:
        if a < place or b > end:
            continue
        if a > place:
            pieces.append(Piece(marks.text[place:a], False))
        pieces.append(Piece(marks.text[a:b], True))
        place = b
    if place < end:
        pieces.append(Piece(marks.text[place:end], False))
    return tuple(pieces)
