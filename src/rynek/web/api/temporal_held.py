"""The entities that a temporal query selects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, overload

import msgspec

from rynek.context import TemporalAbout, TemporalInstance

if TYPE_CHECKING:
    import pyarrow as pa

Span = tuple[int, int]


class Match(msgspec.Struct):
    """One entity that a query selects, with how many attributes; `exact` says that SQL alone can
    tell which of its instances satisfy q and the geo-query; `within` are the spans [start, end) in
    which its scopes match, with the instances of the scope that say so; None where scopes are not
    asked for."""

    id: str
    about: TemporalAbout
    attrs: int = 1
    exact: bool = False
    within: list[tuple[Span, TemporalInstance | None]] | None = None


class Held(Sequence[Match]):
    """The entities that history has, as it tells of them: made one by one where they are wanted, for
    of many only a page is."""

    _PART: Final = 256

    def __init__(self, known: pa.Table) -> None:
        self._known = known

    def __len__(self) -> int:
        return len(self._known)

    @overload
    def __getitem__(self, place: int) -> Match: ...
    @overload
    def __getitem__(self, place: slice) -> list[Match]: ...
    def __getitem__(self, place: int | slice) -> Match | list[Match]:
        if not isinstance(place, slice):
            return next(self._made(self._known.slice(range(len(self))[place], 1)))
        places = range(len(self))[place]
        if places.step != 1:
            return [self[one] for one in places]
        return list(self._made(self._known.slice(places.start, len(places))))

    def __iter__(self) -> Iterator[Match]:
        for first in range(0, len(self), self._PART):
            yield from self._made(self._known.slice(first, self._PART))

    @staticmethod
    def _made(rows: pa.Table) -> Iterator[Match]:
        import pyarrow.compute as pc

        counts = pc.list_value_length(rows.column("attrs"))
        columns = rows.column("entity_id"), rows.column("type"), counts
        for entity_id, kind, attrs in zip(*(one.to_pylist() for one in columns), strict=True):
            yield Match(entity_id, TemporalAbout([kind]), attrs)

    def ids(self) -> list[str]:
        """Those of all of them."""
        found: list[str] = self._known.column("entity_id").to_pylist()
        return found


def ids_of(matches: Sequence[Match]) -> list[str]:
    """Their ids, in order."""
    return matches.ids() if isinstance(matches, Held) else [one.id for one in matches]
