"""Cells that tell of few respondents, hidden also where they would follow from what is shown beside
them (complementary suppression: Hundepool et al., Statistical Disclosure Control, §4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from rynek.indicators.survey.model import Survey

__all__ = ["MANY", "SMALL", "rounded", "tells_of_few", "visible", "whose_conditions"]

SMALL: Final = 5
"""A cell with fewer answers is hidden in public results."""
MANY: Final = 50
"""From so many on, shares in whole per cent tell nothing of one, also where the count is hidden."""


def visible(counts: Sequence[int], people: Sequence[int] | None = None) -> list[int | None]:
    """Counts of parts of a known whole: those of fewer than SMALL people are None, and the next
    smallest beside them until what is hidden does not follow from the whole, and is of several.

    `people` are those behind each count, where one may count several times. Nought stays, unless
    nothing else is left to hide beside cells of one.
    """
    behind = counts if people is None else people
    shown: list[int | None] = [
        None if 0 < some < SMALL else count for count, some in zip(counts, behind, strict=True)
    ]
    others = sorted((n for n, count in enumerate(shown) if count), key=lambda n: (counts[n], n))
    while not _safe([counts[n] for n, count in enumerate(shown) if count is None]):
        if not others:
            return [None] * len(shown)
        shown[others.pop(0)] = None
    return shown


def _safe(hidden: Sequence[int]) -> bool:
    """Whether cells of at least 1, of which some are under SMALL, have several ways to their sum;
    also where each of them is known to be under SMALL."""
    if not hidden:
        return True
    whole, many = sum(hidden), len(hidden)
    full = max(hidden) < SMALL and whole == (SMALL - 1) * many
    return many > 1 and whole >= SMALL and whole != many and not full


def tells_of_few(
    asked: AbstractSet[int], everyone: AbstractSet[int], cells: Iterable[Sequence[AbstractSet[int]]]
) -> bool:
    """Whether the number of those who were asked a question on a condition tells of few others.

    So it does where few were not asked, and where it parts those in the hidden cells of a question
    that its condition uses (`cells`: the respondents in each): one part would then follow.
    """
    if 0 < len(everyone - asked) < SMALL:
        return True
    for hidden in cells:
        inside = [bool(each & asked) for each in hidden]
        if any(inside) and not all(each <= asked for each in hidden):
            return True
    return False


def whose_conditions(survey: Survey) -> dict[str, set[str]]:
    """Of each question that is asked on a condition: every question that this hangs on, however
    far back."""
    needs: dict[str, set[str]] = {}
    for name in survey.order:
        element, around = survey.places[name]
        direct = {
            reference
            for each in (element, *around)
            if (condition := each.expressions.get("relevant")) is not None
            for reference in condition.references
        }
        calculated = element.expressions.get("calculation")
        direct |= calculated.references if calculated else set()
        needs[name] = direct.union(*(needs.get(each, set()) for each in direct))
    return {name: found for name, found in needs.items() if found}


def rounded(numbers: Mapping[str, float | None]) -> dict[str, float | None]:
    """Figures to three digits: none can be taken apart into what single respondents answered."""
    return {
        name: None if value is None else float(f"{value:.3g}") for name, value in numbers.items()
    }
