"""What an honest statistician would ask of an estimate; each check is one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rynek.practices.checks.data import missing_around, runs_around
from rynek.practices.checks.donors import effect_alone, in_reach, leave_one_out
from rynek.practices.checks.events import coincident
from rynek.practices.checks.outcomes import several
from rynek.practices.checks.placebos import in_space, in_time
from rynek.practices.checks.season import season
from rynek.practices.checks.sensors import sensors
from rynek.practices.checks.spill import spill_over
from rynek.practices.checks.stability import level_and_log, window
from rynek.practices.checks.trends import before_trend
from rynek.practices.estimate import Case, Check

__all__ = ["LOWERING", "effect_alone", "run_checks"]

_CHECKS: Final[tuple[Callable[[Case], Check], ...]] = (
    before_trend,
    in_time,
    in_space,
    in_reach,
    level_and_log,
    runs_around,
    missing_around,
    leave_one_out,
    window,
    season,
    spill_over,
    coincident,
    sensors,
    several,
)
# A place that does not differ from placebos is a result, not a fault of the design.
LOWERING: Final = frozenset(one for one in (
    "trend before the start", "placebo in time", "level against logarithm",
    "runs of equal values", "missing values", "leave one donor out", "fit window",
    "fit before the start", "season", "spill-over to neighbours", "coincident events",
    "sensor changes", "prior of the level",
))  # fmt: skip


def run_checks(case: Case) -> list[Check]:
    """Every check, in a fixed order; those that need what the specification does not name say
    so."""
    return [one(case) for one in _CHECKS]
