"""Practice cards: the model, the store, who sees what.

For an index: follow `Cards.changes(since)`; each has `door` and `owner` for `Viewer.passes`, and
`seen`, from which `spoken` gives the words by language. Nothing else of a card may be indexed: a
city that stays unnamed is not in `seen`.
"""

from rynek.practices.cards.answers import Answers, Result, specification_digest
from rynek.practices.cards.attempts import LAST_RUN, Attempt, Run, asks_again, ended
from rynek.practices.cards.database import FILE
from rynek.practices.cards.doors import EVERYBODY, Change, Seen, Stored, Viewer, Written
from rynek.practices.cards.estimating import answer_all, answer_question
from rynek.practices.cards.filters import refuse_unknown
from rynek.practices.cards.model import (
    BARRIERS,
    CLUSTERS,
    DOORS,
    LANGUAGES,
    STATUSES,
    VERDICTS,
    Card,
    Cost,
    Question,
    Text,
)
from rynek.practices.cards.ngsi_ld import entities, entity_ids
from rynek.practices.cards.prices import (
    Compared,
    Prices,
    compared_costs,
    compared_document,
    read_prices,
)
from rynek.practices.cards.prices import (
    compare as compare_cost,
)
from rynek.practices.cards.reading import MAX_BYTES, parse_card, read_document, to_document
from rynek.practices.cards.shipped import seed
from rynek.practices.cards.store import Cards, Wanted
from rynek.practices.cards.words import spoken

__all__ = [
    "BARRIERS",
    "CLUSTERS",
    "DOORS",
    "EVERYBODY",
    "FILE",
    "LANGUAGES",
    "LAST_RUN",
    "MAX_BYTES",
    "STATUSES",
    "VERDICTS",
    "Answers",
    "Attempt",
    "Card",
    "Cards",
    "Change",
    "Compared",
    "Cost",
    "Prices",
    "Question",
    "Result",
    "Run",
    "Seen",
    "Stored",
    "Text",
    "Viewer",
    "Wanted",
    "Written",
    "answer_all",
    "answer_question",
    "asks_again",
    "compare_cost",
    "compared_costs",
    "compared_document",
    "ended",
    "entities",
    "entity_ids",
    "parse_card",
    "read_document",
    "read_prices",
    "refuse_unknown",
    "seed",
    "specification_digest",
    "spoken",
    "to_document",
]
