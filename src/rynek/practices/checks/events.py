"""Whether something else happened where and when the practice did."""

from __future__ import annotations

from rynek.base.messages import Message
from rynek.practices.estimate import Case, Check
from rynek.practices.saying import say
from rynek.practices.specification import Event
from rynek.practices.task import Task

__all__ = ["coincident"]

_NAME = "coincident events"
_ALONE = frozenset(("its", "bsts"))
_COUNTS = 0.02
# Before the start an event matters that is as near as this share of the periods.
_NEAR = 0.1


def coincident(case: Case) -> Check:
    """Events of the specification in the effect periods or shortly before: what touched everybody
    is in the comparison, what touched some is in the effect."""
    task = case.task
    events = task.events
    if events is None:
        return Check(_NAME, "not applicable", say("events-unknown"))
    within = [one for one in events if _touches(task, one)]
    if not within:
        why = say("events-none", events=len(events))
        return Check(_NAME, "passed", why, {"events": len(events)})
    bad = [told for one in within if (told := _harm(case, one)) is not None]
    figures = {"events": [one.name for one in within]}
    if bad:
        why = say("events-hold", told=bad)
        if len(bad) > 3:
            why = say("events-hold-more", told=bad[:3], more=len(bad) - 3)
        return Check(_NAME, "failed", why, figures)
    names = [one.name for one in within[:3]]
    return Check(_NAME, "passed", say("events-everywhere", events=names), figures)


def _touches(task: Task, event: Event) -> bool:
    panel = task.panel
    begin = panel.clock.number(event.date, f"event {event.name}")
    end = begin
    if event.until is not None:
        end = panel.clock.number(event.until, f"event {event.name}", last=True)
    first = min(one.start for one in task.cohorts)
    last = max(one.effect[-1] for one in task.cohorts)
    near = max(1, round(_NEAR * len(panel.times)))
    return bool(end >= panel.times[max(0, first - near)] and begin <= panel.times[last])


def _harm(case: Case, event: Event) -> Message | None:
    """What an event does to the estimate; None where the comparison takes it out."""
    task = case.task
    alone = case.estimate.design in _ALONE and not task.donors
    if alone or case.estimate.design == "its":
        return say("event-alone", event=event.name, date=event.date)
    if event.units is None:
        return None
    touched = set(event.units)
    treated = touched & set(task.names(task.treated))
    donors = set(task.names(task.donors))
    if treated and not donors <= touched:
        units = sorted(treated)[:3]
        return say("event-treated", event=event.name, date=event.date, units=units)
    weights = case.estimate.weights or {}
    # Many that weigh little each may weigh much together.
    counted = {one: abs(weights.get(one, 0.0)) for one in touched & donors}
    if sum(counted.values()) > _COUNTS and not treated:
        units = sorted(counted, key=lambda one: (-counted[one], one))[:3]
        return say("event-donor", event=event.name, date=event.date, units=units)
    return None
