"""Practices: what cities did, and the effect computed from their own data.

`evaluate(specification, folder)` estimates an effect by one of `DESIGNS`, with its checks, its level
of evidence and a sentence in six languages. Nothing in the choice of a design depends on its result.
Practice cards have a face of their own: `rynek.practices.cards`.
"""

from rynek.practices.bounds import Bounds
from rynek.practices.checks import LOWERING
from rynek.practices.checks.outcomes import holm
from rynek.practices.estimate import Check, Design, Estimate, share_of_logs
from rynek.practices.estimators.predictors import predictor_weights
from rynek.practices.evaluation import DESIGNS, Evaluation, evaluate, evaluate_panel
from rynek.practices.evidence import Level
from rynek.practices.meta import Together, log_ratio, together
from rynek.practices.panel import Panel
from rynek.practices.planning import (
    Plan,
    PlanQuestion,
    as_csv,
    as_ics,
    load_plan,
    parse_plan,
    plan,
    plan_panel,
)
from rynek.practices.recorded import panel_of_history, panel_of_record
from rynek.practices.saying import name_of_check, read_message, say
from rynek.practices.sentences import LANGUAGES
from rynek.practices.simplex import simplex_least_squares
from rynek.practices.specification import (
    Predictor,
    Question,
    Specification,
    load_specification,
    parse_specification,
)
from rynek.practices.task import Task, task_of
from rynek.practices.wording import shape_message, toml_message

__all__ = [
    "DESIGNS",
    "LANGUAGES",
    "LOWERING",
    "Bounds",
    "Check",
    "Design",
    "Estimate",
    "Evaluation",
    "Level",
    "Panel",
    "Plan",
    "PlanQuestion",
    "Predictor",
    "Question",
    "Specification",
    "Task",
    "Together",
    "as_csv",
    "as_ics",
    "evaluate",
    "evaluate_panel",
    "holm",
    "load_plan",
    "load_specification",
    "log_ratio",
    "name_of_check",
    "panel_of_history",
    "panel_of_record",
    "parse_plan",
    "parse_specification",
    "plan",
    "plan_panel",
    "predictor_weights",
    "read_message",
    "say",
    "shape_message",
    "share_of_logs",
    "simplex_least_squares",
    "task_of",
    "together",
    "toml_message",
]
