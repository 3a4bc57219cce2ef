"""Whether there was time enough to tell the season from the effect."""

from __future__ import annotations

from typing import Final

from rynek.practices.estimate import Case, Check
from rynek.practices.estimators.bsts import NAME as BSTS
from rynek.practices.estimators.bsts import has_season
from rynek.practices.saying import say

__all__ = ["season"]

_NAME = "season"
_YEAR: Final = {"month": 12, "quarter": 4, "week": 52, "day": 365, "hour": 8760}


def season(case: Case) -> Check:
    """Of one series alone: at least a year before the start, and not a part of a year after it
    against whole ones before where less than two were seen."""
    task = case.task
    year = _YEAR.get(task.panel.clock.kind)
    if task.donors and case.estimate.design != "its":
        return Check(_NAME, "not applicable", say("season-same"))
    if year is None:
        return Check(_NAME, "not applicable", say("season-unknown"))
    cohort = task.cohorts[0]
    before = float(task.panel.times[cohort.start] - task.panel.times[cohort.fit[0]])
    figures = {"years_before": before / year}
    if before < year:
        return Check(_NAME, "failed", say("season-short"), figures)
    if before < 2 * year:
        return Check(_NAME, "failed", say("season-one-year"), figures)
    learns = case.estimate.design == BSTS and task.spec.season != 1
    if learns and not has_season(task):
        return Check(_NAME, "failed", say("season-not-learnt", years=before / year), figures)
    return Check(_NAME, "passed", say("season-shown", years=before / year), figures)
