"""Whether there was time enough to tell the season from the effect."""

from __future__ import annotations

from typing import Final

from rynek.practices.estimate import Case, Check

__all__ = ["season"]

_NAME = "season"
_YEAR: Final = {"month": 12, "quarter": 4, "week": 52, "day": 365, "hour": 8760}


def season(case: Case) -> Check:
    """Of one series alone: at least a year before the start, and not a part of a year after it
    against whole ones before where less than two were seen."""
    task = case.task
    year = _YEAR.get(task.panel.clock.kind)
    if task.donors and case.estimate.design != "its":
        return Check(_NAME, "not applicable", "the compared places have the same season")
    if year is None:
        return Check(_NAME, "not applicable", "the times have no season that is known")
    cohort = task.cohorts[0]
    before = float(task.panel.times[cohort.start] - task.panel.times[cohort.fit[0]])
    figures = {"years_before": before / year}
    if before < year:
        why = (
            "there is less than a year before the start: the season cannot be told from the effect"
        )
        return Check(_NAME, "failed", why, figures)
    if before < 2 * year:
        why = (
            "there are less than two years before the start: whether that one was like others"
            " cannot be said"
        )
        return Check(_NAME, "failed", why, figures)
    return Check(_NAME, "passed", f"{before / year:.1f} years before the start show it", figures)
