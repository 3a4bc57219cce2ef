"""Sorting many entities without holding up others (CIM 009 §4.23)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rynek.base.collation import sort_keys
from rynek.base.pace import Pace
from rynek.context.model import Entity
from rynek.context.query import Ordering, Rank

_CHUNK_TEXTS = 1_000


async def text_keys(ordering: Ordering, ranks: Sequence[list[Rank]]) -> Mapping[str, str]:
    """The sort key of every text in `ranks`, made a few at a time."""
    texts = ordering.texts(ranks)
    keys: dict[str, str] = {}
    pace = Pace()
    for first in range(0, len(texts), _CHUNK_TEXTS):
        some = texts[first : first + _CHUNK_TEXTS]
        keys.update(zip(some, sort_keys(some, ordering.collation), strict=True))
        if pace.due():
            await pace.turn()
    return keys


async def arranged(ordering: Ordering, ranks: Sequence[list[Rank]]) -> list[int]:
    """The positions of `ranks` in order (see Ordering.arrange)."""
    keys = await text_keys(ordering, ranks)
    order, pace = list(range(len(ranks))), Pace()
    for _ in ordering.arranging(order, ranks, keys):
        if pace.due():
            await pace.turn()
    return order


async def sort_entities(
    entities: Sequence[Entity], ordering: Ordering, compact: Callable[[str], str]
) -> list[Entity]:
    """The entities in order; `compact` turns type IRIs into the names they are sorted by."""
    ranks, pace = [], Pace()
    for entity in entities:
        ranks.append(ordering.ranks(entity, compact))
        if pace.due():
            await pace.turn()
    return [entities[position] for position in await arranged(ordering, ranks)]
