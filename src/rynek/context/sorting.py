"""Sorting many entities without holding up others (CIM 009 §4.23)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from rynek.base.collation import sort_keys
from rynek.context.model import Entity
from rynek.context.query import Ordering, Rank

_CHUNK_TEXTS = 1_000


async def text_keys(ordering: Ordering, ranks: Sequence[list[Rank]]) -> Mapping[str, str]:
    """The sort key of every text in `ranks`, made a few at a time."""
    texts = ordering.texts(ranks)
    keys: dict[str, str] = {}
    for first in range(0, len(texts), _CHUNK_TEXTS):
        some = texts[first : first + _CHUNK_TEXTS]
        keys.update(zip(some, sort_keys(some, ordering.collation), strict=True))
        await asyncio.sleep(0)
    return keys


async def sort_entities(
    entities: Sequence[Entity], ordering: Ordering, compact: Callable[[str], str]
) -> list[Entity]:
    """The entities in order; `compact` turns type IRIs into the names they are sorted by."""
    ranks = [ordering.ranks(entity, compact) for entity in entities]
    keys = await text_keys(ordering, ranks)
    return [entities[position] for position in ordering.arrange(ranks, keys)]
