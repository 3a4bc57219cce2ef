"""Search over practice cards, across six languages: FTS5 over stems and concepts.

`SearchIndex.follow(cards)` brings the index up to date, `find` answers. Stems (`stems`), concepts of
cities (`glossary`) and letters (`alphabets`) bring languages together; see docs/search.md.
"""

from rynek.practices.search.costing import KINDS as COST_KINDS
from rynek.practices.search.costing import PPS, Priced, price_tables
from rynek.practices.search.finding import (
    MAX_LIMIT,
    MAX_OFFSET,
    SIZES,
    Filters,
    Found,
    Hit,
    found_document,
    hit_document,
)
from rynek.practices.search.index import Entry
from rynek.practices.search.moving import (
    Like,
    Moved,
    Mover,
    cards_like,
    mover_document,
    movers,
    read_people,
)
from rynek.practices.search.query import MAX_QUERY
from rynek.practices.search.similar import Cities, alike_document, alike_message, unlike
from rynek.practices.search.snippets import Piece, Snippet
from rynek.practices.search.store import INDEX_FILE, SearchIndex, search_concepts

__all__ = [
    "COST_KINDS",
    "INDEX_FILE",
    "MAX_LIMIT",
    "MAX_OFFSET",
    "MAX_QUERY",
    "PPS",
    "SIZES",
    "Cities",
    "Entry",
    "Filters",
    "Found",
    "Hit",
    "Like",
    "Moved",
    "Mover",
    "Piece",
    "Priced",
    "SearchIndex",
    "Snippet",
    "alike_document",
    "alike_message",
    "cards_like",
    "found_document",
    "hit_document",
    "mover_document",
    "movers",
    "price_tables",
    "read_people",
    "search_concepts",
    "unlike",
]
