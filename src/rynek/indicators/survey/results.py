"""What a wave answered: response rates by region, weights for those who did not, and answers in
cells that tell of no single respondent."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rynek.indicators.survey.answering import Answers
from rynek.indicators.survey.measured import CONFIRMED, CONTESTED, TOLD
from rynek.indicators.survey.model import Element, Survey
from rynek.indicators.survey.store import Response

__all__ = ["SMALL", "results", "weights"]

SMALL: Final = 5
"""A cell with fewer answers is hidden in public results."""


def weights(responses: Sequence[Response]) -> dict[str, float]:
    """A weight for each respondent who answered: invited over answered in its region.

    Weighting classes (Lohr, Sampling, §8.5.1): within a region those who did not answer are taken
    to be like those who did. Regions in which fewer than SMALL answered are one class together. The
    weights add up to the number of those invited, as far as their class answered at all.
    """
    answered = Counter(one.respondent.region for one in responses if one.submitted is not None)
    of_class = {
        region: region if answered[region] >= SMALL else ""
        for region in {one.respondent.region for one in responses}
    }
    invited = Counter(of_class[one.respondent.region] for one in responses)
    done = Counter(
        of_class[one.respondent.region] for one in responses if one.submitted is not None
    )
    return {
        one.respondent.id: invited[kind] / done[kind]
        for one in responses
        if one.submitted is not None
        for kind in (of_class[one.respondent.region],)
    }


def results(survey: Survey, responses: Sequence[Response], *, public: bool) -> dict[str, Any]:
    """The results as plain values; hidden cells are None, and `hidden` says that there are some.

    Texts are counted and never shown. With `public` cells under SMALL are hidden, and the next
    smallest beside a single hidden one, so that none follows from the total.
    """
    done = [one for one in responses if one.submitted is not None]
    weight = weights(responses)
    rows = [(one.answers, weight[one.respondent.id]) for one in done]
    total = math.fsum(weight.values())
    squares = math.fsum(each * each for each in weight.values())
    few = public and 0 < len(done) < SMALL
    return {
        "invited": len(responses),
        "answered": None if few else len(done),
        "started": None if public else sum(1 for one in responses if one.revision) - len(done),
        "rate": None if few or not responses else len(done) / len(responses),
        "small": SMALL if public else 0,
        "regions": _regions(responses, public=public),
        "weighting": {
            "method": "weighting classes by region",
            "largest": max(weight.values(), default=None),
            "design_effect": len(done) * squares / total**2 if total else None,
        },
        "questions": [
            _question(survey, element, rows, public=public)
            for element in survey.questions
            if element.kind != "calculation"
        ],
    }


def _regions(responses: Sequence[Response], *, public: bool) -> list[dict[str, Any]]:
    invited = Counter(one.respondent.region for one in responses)
    done = Counter(one.respondent.region for one in responses if one.submitted is not None)
    names = sorted(invited)
    shown = _visible([done[name] for name in names], public=public)
    return [
        {
            "region": name,
            "invited": invited[name],
            "answered": count,
            "rate": None if count is None else count / invited[name],
        }
        for name, count in zip(names, shown, strict=True)
    ]


def _visible(counts: Sequence[int], *, public: bool) -> list[int | None]:
    """Counts of parts of a known whole, those that tell of few hidden."""
    shown: list[int | None] = [None if public and 0 < count < SMALL else count for count in counts]
    if shown.count(None) == 1:
        others = [n for n, count in enumerate(shown) if count]
        if others:
            shown[min(others, key=lambda n: counts[n])] = None
    return shown


def _question(
    survey: Survey, element: Element, rows: Sequence[tuple[Answers, float]], *, public: bool
) -> dict[str, Any]:
    repeat = survey.repeat_of[element.name]
    given = [
        (str(entry[element.name]), weight)
        for answers, weight in rows
        for entry in (answers.get(repeat) or () if repeat else (answers,))
        if entry.get(element.name)
    ]
    people = sum(
        1
        for answers, _ in rows
        if any(e.get(element.name) for e in (answers.get(repeat) or () if repeat else (answers,)))
    )
    hidden = public and 0 < people < SMALL
    found: dict[str, Any] = {
        "name": element.name,
        "kind": element.kind,
        "label": element.label,
        "n": None if hidden else len(given),
        "hidden": hidden,
    }
    if hidden:
        return found
    if element.kind in ("one", "many", "tick"):
        found |= _shares(survey, element, given, public=public)
    elif element.kind in ("integer", "decimal"):
        found["numbers"] = _numbers([(float(text), weight) for text, weight in given])
        if any(answers.get(element.name + TOLD) for answers, _ in rows):
            found["measured"] = _of_measured(element, rows, public=public)
    return found


def _of_measured(
    element: Element, rows: Sequence[tuple[Answers, float]], *, public: bool
) -> dict[str, int | None]:
    """How many confirmed the figure that was measured, contested it, or had none."""
    told = Counter(
        answers.get(element.name + TOLD, "") for answers, _ in rows if answers.get(element.name)
    )
    names = (CONFIRMED, CONTESTED, "")
    shown = _visible([told[name] for name in names], public=public)
    return dict(zip(("confirmed", "contested", "none"), shown, strict=True))


def _shares(
    survey: Survey, element: Element, given: Sequence[tuple[str, float]], *, public: bool
) -> dict[str, Any]:
    whole = math.fsum(weight for _, weight in given)
    listed = [(each.name, each.label) for each in survey.choices.get(element.choices, ())]
    if element.kind == "tick":
        listed = [("OK", element.label)]
    counts: Counter[str] = Counter()
    sums: dict[str, float] = {}
    for text, weight in given:
        for name in text.split() if element.kind == "many" else (text,):
            counts[name] += 1
            sums[name] = sums.get(name, 0.0) + weight
    plain = [counts[name] for name, _ in listed]
    if element.kind == "one":
        shown = _visible(plain, public=public)
    else:  # few who chose it, and few who did not, are both few
        some = len(given)
        shown = [None if public and (0 < n < SMALL or 0 < some - n < SMALL) else n for n in plain]
    choices = [
        {
            "name": name,
            "label": label,
            "count": count,
            "share": None if count is None or not given else count / len(given),
            "weighted": None if count is None or not whole else sums.get(name, 0.0) / whole,
        }
        for (name, label), count in zip(listed, shown, strict=True)
    ]
    return {"choices": choices, "hidden": None in shown}


def _numbers(given: Sequence[tuple[float, float]]) -> dict[str, float] | None:
    """Mean, weighted mean, and quartiles; no extremes, which are single answers."""
    if not given:
        return None
    values = [value for value, _ in given]
    whole = math.fsum(weight for _, weight in given)
    low, middle, high = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    )
    return {
        "mean": math.fsum(values) / len(values),
        "weighted_mean": math.fsum(value * weight for value, weight in given) / whole,
        "lower_quartile": low,
        "median": middle,
        "upper_quartile": high,
    }
