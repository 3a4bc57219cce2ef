"""Operations on entities that other brokers hold in whole or in part (CIM 009 §4.3.6, §5.6, §5.7).

Pure parts: what goes where (split), what comes together (merge), within what a source is
registered for (narrow), in whose words (names). forward sends one request to one source; retrieve
and query are reads of several.
"""

from rynek.context.distribution.answer import Answer
from rynek.context.distribution.batch import LADDERS, Entry, send_batch
from rynek.context.distribution.candidates import candidates, mapped
from rynek.context.distribution.forward import Forwarder, Limits, Origin, Outbound
from rynek.context.distribution.narrow import is_registered, narrowed_params
from rynek.context.distribution.provision import Outcome, part_of_document, send_parts
from rynek.context.distribution.query import Found, Inquiry, query, query_split
from rynek.context.distribution.read import InvalidAnswer
from rynek.context.distribution.reading import Asked, Reader
from rynek.context.distribution.retrieve import Retrieval, retrieve
from rynek.context.distribution.split import Part, Plan, split, split_whole
from rynek.context.distribution.temporal import (
    EVOLUTION_MEMBERS,
    cut_to_last,
    evolutions,
    merge_evolutions,
)
from rynek.context.distribution.types import summaries, together
from rynek.context.distribution.via import is_endless, passed

__all__ = [
    "EVOLUTION_MEMBERS",
    "LADDERS",
    "Answer",
    "Asked",
    "Entry",
    "Forwarder",
    "Found",
    "Inquiry",
    "InvalidAnswer",
    "Limits",
    "Origin",
    "Outbound",
    "Outcome",
    "Part",
    "Plan",
    "Reader",
    "Retrieval",
    "candidates",
    "cut_to_last",
    "evolutions",
    "is_endless",
    "is_registered",
    "mapped",
    "merge_evolutions",
    "narrowed_params",
    "part_of_document",
    "passed",
    "query",
    "query_split",
    "retrieve",
    "send_batch",
    "send_parts",
    "split",
    "split_whole",
    "summaries",
    "together",
]
