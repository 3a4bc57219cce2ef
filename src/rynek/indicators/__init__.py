"""Indicators: what a city's data mean, and cities compared with how sure that is.

`evaluate_index(specification, folder)` computes a composite index with its uncertainty, and
`document(index)` is the whole of it in plain values.
"""

from rynek.indicators.index.document import document
from rynek.indicators.index.evaluation import Index, evaluate_index
from rynek.indicators.index.specification import (
    Specification,
    Text,
    load_specification,
    parse_specification,
)

__all__ = [
    "Index",
    "Specification",
    "Text",
    "document",
    "evaluate_index",
    "load_specification",
    "parse_specification",
]
