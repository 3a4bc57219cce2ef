"""Practices: what cities did, and the effect computed from their own data.

`evaluate(specification, folder)` estimates an effect by one of `DESIGNS`, with its checks, its level
of evidence and a sentence in six languages. Nothing in the choice of a design depends on its result.
Practice cards have a face of their own: `rynek.practices.cards`.
"""

from rynek.practices.checks.outcomes import holm
from rynek.practices.estimate import Check, Design, Estimate
from rynek.practices.evaluation import DESIGNS, Evaluation, evaluate
from rynek.practices.evidence import Level
from rynek.practices.panel import Panel
from rynek.practices.sentences import LANGUAGES
from rynek.practices.specification import (
    Predictor,
    Specification,
    load_specification,
    parse_specification,
)
from rynek.practices.task import Task, task_of

__all__ = [
    "DESIGNS",
    "LANGUAGES",
    "Check",
    "Design",
    "Estimate",
    "Evaluation",
    "Level",
    "Panel",
    "Predictor",
    "Specification",
    "Task",
    "evaluate",
    "holm",
    "load_specification",
    "parse_specification",
    "task_of",
]
