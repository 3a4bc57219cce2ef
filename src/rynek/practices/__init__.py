"""Practices: what cities did, and the effect computed from their own data.

`evaluate(specification, folder)` estimates an effect by one of `DESIGNS`, with its checks, its level
of evidence and a sentence in six languages. Nothing in the choice of a design depends on its result.
"""

from rynek.practices.estimate import Check, Design, Estimate
from rynek.practices.evaluation import DESIGNS, Evaluation, evaluate
from rynek.practices.evidence import Level
from rynek.practices.sentences import LANGUAGES
from rynek.practices.specification import (
    Predictor,
    Specification,
    load_specification,
    parse_specification,
)

__all__ = [
    "DESIGNS",
    "LANGUAGES",
    "Check",
    "Design",
    "Estimate",
    "Evaluation",
    "Level",
    "Predictor",
    "Specification",
    "evaluate",
    "load_specification",
    "parse_specification",
]
