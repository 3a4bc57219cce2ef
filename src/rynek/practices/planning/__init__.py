"""Plan a pilot before it is bought: what so many places and weeks can show, and who starts when."""

from rynek.practices.planning.calendar import as_csv, as_ics
from rynek.practices.planning.power import Power, powers
from rynek.practices.planning.question import PlanQuestion, load_plan, parse_plan
from rynek.practices.planning.rollout import Start, draw
from rynek.practices.planning.run import Plan, plan, plan_panel

__all__ = [
    "Plan",
    "PlanQuestion",
    "Power",
    "Start",
    "as_csv",
    "as_ics",
    "draw",
    "load_plan",
    "parse_plan",
    "plan",
    "plan_panel",
    "powers",
]
