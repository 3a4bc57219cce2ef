"""Practice cards: the model, the store, who sees what.

For an index: follow `Cards.changes(since)`; each has `door` and `owner` for `Viewer.passes`, and
`seen`, from which `spoken` gives the words by language. Nothing else of a card may be indexed: a
city that stays unnamed is not in `seen`.
"""

from rynek.practices.cards.answers import Answers, Result
from rynek.practices.cards.database import FILE
from rynek.practices.cards.doors import EVERYBODY, Seen, Stored, Viewer, Written
from rynek.practices.cards.model import (
    BARRIERS,
    CLUSTERS,
    DOORS,
    LANGUAGES,
    STATUSES,
    VERDICTS,
    Card,
    Cost,
    Text,
)
from rynek.practices.cards.reading import parse_card, read_document, to_document
from rynek.practices.cards.store import Cards, Change, Wanted
from rynek.practices.cards.words import spoken

__all__ = [
    "BARRIERS",
    "CLUSTERS",
    "DOORS",
    "EVERYBODY",
    "FILE",
    "LANGUAGES",
    "STATUSES",
    "VERDICTS",
    "Answers",
    "Card",
    "Cards",
    "Change",
    "Cost",
    "Result",
    "Seen",
    "Stored",
    "Text",
    "Viewer",
    "Wanted",
    "Written",
    "parse_card",
    "read_document",
    "spoken",
    "to_document",
]
