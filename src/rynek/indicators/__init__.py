"""Indicators: what a city's data mean, and cities compared with how sure that is.

`evaluate_index(specification, folder)` computes a composite index with its uncertainty, and
`document(index)` is the whole of it in plain values.
"""

from rynek.indicators.database import FILE as INDICATORS_FILE
from rynek.indicators.database import Database
from rynek.indicators.index.document import document
from rynek.indicators.index.evaluation import Index, evaluate_index
from rynek.indicators.index.published import Comparisons, Published, seed_comparisons
from rynek.indicators.index.rerank import Reranked, rerank
from rynek.indicators.index.specification import (
    Specification,
    Text,
    load_specification,
    parse_specification,
)
from rynek.indicators.reference.definition import load_definition
from rynek.indicators.reference.definition import shipped as shipped_definitions
from rynek.indicators.reference.importing import to_csv
from rynek.indicators.reference.store import References

__all__ = [
    "INDICATORS_FILE",
    "Comparisons",
    "Database",
    "Index",
    "Published",
    "References",
    "Reranked",
    "Specification",
    "Text",
    "document",
    "evaluate_index",
    "load_definition",
    "load_specification",
    "parse_specification",
    "rerank",
    "seed_comparisons",
    "shipped_definitions",
    "to_csv",
]
