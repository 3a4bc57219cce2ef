"""What a wave answered: response rates by region, weights for those who did not, and answers in
cells that tell of no single respondent."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rynek.indicators.survey.answering import Answers
from rynek.indicators.survey.disclosure import (
    MANY,
    SMALL,
    rounded,
    tells_of_few,
    visible,
    whose_conditions,
)
from rynek.indicators.survey.measured import CONFIRMED, CONTESTED, TOLD
from rynek.indicators.survey.model import ANSWERED, Element, Survey
from rynek.indicators.survey.store import Response

__all__ = ["SMALL", "results", "weights"]

_Rows = Sequence[tuple[Answers, float]]


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

    Texts are counted and never shown. With `public` cells under SMALL are hidden, and those from
    which they would follow: others of the same whole, and numbers of who was asked on a condition.
    Shares are then whole per cent and means three digits.
    """
    done = [one for one in responses if one.submitted is not None]
    weight = weights(responses)
    rows = [(one.answers, weight[one.respondent.id]) for one in done]
    total = math.fsum(weight.values())
    squares = math.fsum(each * each for each in weight.values())
    effect = len(done) * squares / total**2 if total else None
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
            "largest": None if public else max(weight.values(), default=None),
            "design_effect": round(effect, 2) if public and effect else effect,
        },
        "questions": _Questions(survey, rows, public=public).all(),
    }


def _regions(responses: Sequence[Response], *, public: bool) -> list[dict[str, Any]]:
    invited = Counter(one.respondent.region for one in responses)
    done = Counter(one.respondent.region for one in responses if one.submitted is not None)
    names = sorted(invited)
    counts = [done[name] for name in names]
    return [
        {
            "region": name,
            "invited": invited[name],
            "answered": count,
            "rate": None if count is None else count / invited[name],
        }
        for name, count in zip(names, visible(counts) if public else counts, strict=True)
    ]


class _Given:
    """What was answered to a question: each answer with who gave it and its weight."""

    def __init__(self, survey: Survey, element: Element, rows: _Rows) -> None:
        repeat = survey.repeat_of[element.name]
        self.answers = [
            (who, str(entry[element.name]), weight)
            for who, (answers, weight) in enumerate(rows)
            for entry in (answers.get(repeat) or () if repeat else (answers,))
            if entry.get(element.name)
        ]
        self.people = {who for who, _, _ in self.answers}


class _Questions:
    """The questions of a survey with what was answered, in order."""

    def __init__(self, survey: Survey, rows: _Rows, *, public: bool) -> None:
        self._survey, self._rows, self._public = survey, rows, public
        self._hangs_on = whose_conditions(survey) if public else {}
        self._hidden: dict[str, list[set[int]]] = {}

    def all(self) -> list[dict[str, Any]]:
        """Each of them; those that conditions use come first to be worked out."""
        found = {}
        for name in self._survey.order:
            element, _ = self._survey.places[name]
            if element.kind in ANSWERED:
                found[name] = self._one(element, _Given(self._survey, element, self._rows))
        return [found[each.name] for each in self._survey.questions if each.name in found]

    def _one(self, element: Element, given: _Given) -> dict[str, Any]:
        people, name = given.people, element.name
        tells = self._public and name in self._hangs_on and self._tells(name, people)
        hidden = self._public and 0 < len(people) < (MANY if tells else SMALL)
        found: dict[str, Any] = {
            "name": name,
            "kind": element.kind,
            "label": element.label,
            "n": None if hidden or tells else len(given.answers),
            "hidden": hidden or tells,
        }
        if hidden:
            self._hidden[name] = [people]
        elif element.kind in ("one", "many", "tick"):
            found["choices"] = self._choices(element, given, uncounted=tells)
            found["hidden"] = any(each["count"] is None for each in found["choices"]) or tells
        elif element.kind in ("integer", "decimal"):
            found["numbers"] = self._numbers(given)
            if any(answers.get(name + TOLD) for answers, _ in self._rows):
                found["measured"] = self._measured(element, uncounted=tells)
        return found

    def _tells(self, name: str, people: set[int]) -> bool:
        cells = [
            self._hidden[each] for each in sorted(self._hangs_on[name]) if each in self._hidden
        ]
        return tells_of_few(people, set(range(len(self._rows))), cells)

    def _choices(self, element: Element, given: _Given, *, uncounted: bool) -> list[dict[str, Any]]:
        listed = [(each.name, each.label) for each in self._survey.choices.get(element.choices, ())]
        if element.kind == "tick":
            listed = [("OK", element.label)]
        counts: Counter[str] = Counter()
        sums: dict[str, float] = {}
        chose: dict[str, set[int]] = {name: set() for name, _ in listed}
        for who, text, weight in given.answers:
            for name in text.split() if element.kind == "many" else (text,):
                counts[name] += 1
                sums[name] = sums.get(name, 0.0) + weight
                chose.setdefault(name, set()).add(who)
        shown = self._shown(element, given, [(counts[name], chose[name]) for name, _ in listed])
        small = [
            chose[name] for (name, _), count in zip(listed, shown, strict=True) if count is None
        ]
        if small:
            self._hidden[element.name] = small
        some, whole = len(given.answers), math.fsum(weight for *_, weight in given.answers)
        return [
            {
                "name": name,
                "label": label,
                "count": None if uncounted else count,
                "share": self._share(None if count is None else count, some),
                "weighted": self._share(None if count is None else sums.get(name, 0.0), whole),
            }
            for (name, label), count in zip(listed, shown, strict=True)
        ]

    def _shown(
        self, element: Element, given: _Given, cells: Sequence[tuple[int, set[int]]]
    ) -> list[int | None]:
        counts, people = [count for count, _ in cells], [len(who) for _, who in cells]
        if not self._public:
            return list(counts)
        if element.kind == "one":
            return visible(counts, people)
        # Of several choices few who chose one, and few who did not, are both few.
        rest = [len(given.people) - some for some in people]
        return [
            None if 0 < some < SMALL or 0 < others < SMALL else count
            for count, some, others in zip(counts, people, rest, strict=True)
        ]

    def _share(self, part: float | None, whole: float) -> float | None:
        if part is None or not whole:
            return None
        return round(part / whole, 2) if self._public else part / whole

    def _measured(self, element: Element, *, uncounted: bool) -> dict[str, int | None]:
        """How many confirmed the figure that was measured, contested it, or had none."""
        told = Counter(
            answers.get(element.name + TOLD, "")
            for answers, _ in self._rows
            if answers.get(element.name)
        )
        counts = [told[name] for name in (CONFIRMED, CONTESTED, "")]
        shown = [None] * 3 if uncounted else visible(counts) if self._public else counts
        return dict(zip(("confirmed", "contested", "none"), shown, strict=True))

    def _numbers(self, given: _Given) -> dict[str, float | None] | None:
        if not given.answers:
            return None
        found = _numbers([(float(text), weight) for _, text, weight in given.answers])
        if not self._public:
            return found
        if len(given.people) < 2 * SMALL:  # a quartile of so few is the answer of one
            found |= dict.fromkeys(_QUARTILES)
        return rounded(found)


_QUARTILES = ("lower_quartile", "median", "upper_quartile")


def _numbers(given: Sequence[tuple[float, float]]) -> dict[str, float | None]:
    """Mean, weighted mean, and quartiles; no extremes, which are single answers."""
    values = [value for value, _ in given]
    whole = math.fsum(weight for _, weight in given)
    quartiles = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    )
    means: dict[str, float | None] = {
        "mean": math.fsum(values) / len(values),
        "weighted_mean": math.fsum(value * weight for value, weight in given) / whole,
    }
    return means | dict(zip(_QUARTILES, quartiles, strict=True))
