"""Answers made up for the survey "Smart strategy, needs, priorities": nobody gave them.

The odds are invented too. They only keep together what goes together: a larger community has a
strategy, a budget and data in use more often than a small one.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final

__all__ = ["MEASURED", "example_answers", "online_share", "told_of_measured"]

MEASURED: Final = "reference:services/online_share"
"""What the shipped survey calls the figure that is measured beforehand."""

_SIZES: Final = {"s1": 46, "s2": 34, "s3": 12, "s4": 7, "s5": 1}
_RIPE: Final = {"s1": 0.15, "s2": 0.35, "s3": 0.55, "s4": 0.75, "s5": 0.9}
_ROLES: Final = {"mayor": 38, "digital": 22, "planning": 28, "else": 12}
_NEEDS: Final = {
    "funding": 30,
    "skills": 24,
    "examples": 15,
    "standards": 11,
    "training": 12,
    "buying": 8,
    "law": 6,
    "network": 7,
    "other": 2,
}
_THEMES: Final = {
    "energy": 24,
    "services": 18,
    "mobility": 14,
    "waste": 11,
    "lighting": 10,
    "transit": 8,
    "participation": 6,
    "air": 6,
    "safety": 5,
    "parking": 4,
    "cycling": 4,
    "open": 3,
    "charging": 2,
}
_PROJECTS: Final = {
    "energy": "Meters in schools and offices",
    "services": "One counter for requests online",
    "mobility": "Counting traffic at the ring",
    "waste": "Fill levels of containers",
    "lighting": "Lamps that dim at night",
    "transit": "Arrival times at stops",
}
_OTHERS: Final = ("Time to think", "A partner at the region", "Data from the state's registers")
_COMMENTS: Final = ("How we work with our neighbours", "What we gave up, and why")


def example_answers(draw: Random, place: int) -> dict[str, Any]:
    """Whole answers of one example community; `place` within its region moves the odds a little."""
    size = _one(draw, _SIZES)
    ripe = _RIPE[size] + 0.02 * (place % 5)
    answers: dict[str, Any] = {"size": size, "role": _one(draw, _ROLES)}
    answers |= _strategy(draw, ripe) | _data(draw, ripe) | _needs(draw) | _priorities(draw, ripe)
    if draw.random() < 0.1:
        answers["comment"] = draw.choice(_COMMENTS)
    return answers


def online_share(respondent: str) -> float:
    """The figure that an example community confirms or contests."""
    return float(Random(f"measured {respondent}").randrange(15, 75))


def told_of_measured(respondent: str, answers: Mapping[str, Any]) -> dict[str, str]:
    """What a community says of its figure, beside its answers: three of four confirm it."""
    if "online_share" not in answers:
        return {}
    figure = f"{online_share(respondent):.0f}"
    told = {"online_share~measured": figure}
    if Random(f"told {respondent}").random() < 0.75:
        return told | {"online_share": figure, "online_share~told": "confirmed"}
    return told | {
        "online_share~told": "contested",
        "online_share~reason": "Requests by e-mail are not counted in it",
    }


def _strategy(draw: Random, ripe: float) -> dict[str, Any]:
    odds = {"adopted": ripe, "within": 0.25, "prepared": 0.22, "none": 0.75 - 0.7 * ripe}
    has = _one(draw, odds)
    found = {
        "has_strategy": has,
        "owner": _one(
            draw,
            {"unit": ripe, "person": 0.35, "besides": 0.5, "outside": 0.08, "nobody": 0.4 - 0.4 * ripe},
        ),
        "budget": "yes" if draw.random() < 0.2 + 0.6 * ripe else "no",
    }  # fmt: skip
    if has == "adopted":
        found["strategy_year"] = str(draw.choice((2017, 2019, 2020, 2021, 2022, 2023, 2024, 2025)))
    if has in ("adopted", "within"):
        found["goals"] = _one(draw, {"all": ripe / 2, "some": 0.5, "none": 0.35})
    if has == "none":
        odds = {"money": 9, "people": 10, "need": 2, "region": 4, "urgent": 7}
        found["why_not"] = _several(draw, odds, draw.choice((1, 2, 2, 3)))
    return found


def _data(draw: Random, ripe: float) -> dict[str, Any]:
    odds = {"weekly": 0.5 * ripe, "yearly": 0.3, "reports": 0.45, "never": 0.25 - 0.25 * ripe}
    found = {
        "data_use": _one(draw, odds),
        "open_data": "yes" if draw.random() < 0.7 * ripe else "no",
    }
    if draw.random() < 0.7:
        found["online_share"] = str(max(0, min(100, round(draw.gauss(12 + 45 * ripe, 10)))))
    return found


def _needs(draw: Random) -> dict[str, Any]:
    needs = _several(draw, _NEEDS, draw.choice((2, 3, 3, 3)))
    found = {"needs": needs, "sharing": _one(draw, {"named": 52, "nameless": 33, "no": 15})}
    if "other" in needs.split():
        found["needs_other"] = draw.choice(_OTHERS)
    return found


def _priorities(draw: Random, ripe: float) -> dict[str, Any]:
    first, *then = _several(draw, _THEMES, 3).split()
    projects = [
        {
            "project_name": _PROJECTS[theme],
            "project_theme": theme,
            "project_stage": _one(draw, {"idea": 3, "planned": 3, "running": 2 + ripe, "done": 1}),
        }
        for theme in (first, *then)
        if theme in _PROJECTS and draw.random() < 0.3 + ripe / 2
    ]
    return {"first": first, "then": " ".join(then), "project": projects}


def _one(draw: Random, odds: Mapping[str, float]) -> str:
    return draw.choices(list(odds), [max(0.0, weight) for weight in odds.values()])[0]


def _several(draw: Random, odds: Mapping[str, float], count: int) -> str:
    """Different names in the order drawn, as a chosen list is written."""
    left = dict(odds)
    found = []
    for _ in range(count):
        found.append(_one(draw, left))
        del left[found[-1]]
    return " ".join(found)
