"""What is wrong with a survey as a whole: names, references, choices, and circles of conditions."""

from __future__ import annotations

import re
from typing import Final

from rynek.base.errors import BadRequestData
from rynek.indicators.survey.functions import compiled
from rynek.indicators.survey.model import ANSWERED, Element, Survey

__all__ = ["REFERENCE", "check_survey"]

_MAX_ELEMENTS: Final = 2_000
_MAX_CHOICES: Final = 10_000
_MAX_NAME: Final = 64
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,63}")
REFERENCE: Final = re.compile(r"\$\{\s*([\w.-]+)\s*\}")
_INDICATOR: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}|reference:[\w.-]{1,64}/[^/\s]{1,100}")
_PATTERN: Final = re.compile(r"\bregex\s*\([^,]*,\s*('[^']*'|\"[^\"]*\")\s*\)")


def check_survey(survey: Survey) -> None:
    """Pass a survey that can be answered, or raise BadRequestData with the question named."""
    if not _ID.fullmatch(survey.id):
        raise BadRequestData(
            f"id {survey.id[:80]!r}: small letters, digits and hyphens, from 2 to 64:"
            " give one with --id, or change form_id in the sheet settings"
        )
    elements = [element for element, _ in survey.walk()]
    if len(elements) > _MAX_ELEMENTS:
        raise BadRequestData(
            f"a survey has at most {_MAX_ELEMENTS} questions, this has {len(elements)}"
        )
    if not any(element.kind in ANSWERED for element in elements):
        raise BadRequestData("the survey asks nothing: there is no question in the sheet survey")
    if sum(map(len, survey.choices.values())) > _MAX_CHOICES:
        raise BadRequestData(f"a survey has at most {_MAX_CHOICES} choices")
    _check_names(elements)
    for element, around in survey.walk():
        _check_element(survey, element, around)
    _ = survey.order  # refuses circles


def _check_names(elements: list[Element]) -> None:
    seen: set[str] = set()
    for element in elements:
        if not element.name or len(element.name) > _MAX_NAME:
            raise BadRequestData(
                f"question {element.name[:80]!r}: a name has 1 to {_MAX_NAME} characters"
            )
        if element.name in seen:
            raise BadRequestData(
                f"question {element.name!r}: the name stands twice; names are unique in a survey,"
                " also across groups: give one of the two another"
            )
        seen.add(element.name)


def _check_element(survey: Survey, element: Element, around: tuple[Element, ...]) -> None:
    where = f"question {element.name!r}"
    if element.kind == "repeat" and any(each.kind == "repeat" for each in around):
        raise BadRequestData(
            f"repeat {element.name!r}: a repeat in a repeat is not supported: ask it apart"
        )
    if element.kind in ANSWERED and not element.label:
        raise BadRequestData(f"{where}: it has no label: write what is asked")
    if element.kind == "calculation" and not element.calculation:
        raise BadRequestData(f"{where}: a calculate needs a calculation")
    if element.kind != "calculation" and element.calculation:
        raise BadRequestData(f"{where}: only the type calculate has a calculation: split it in two")
    try:
        expressions = element.expressions
    except BadRequestData as problem:
        raise BadRequestData(f"{where}, {_column(element)}: {problem.detail}") from None
    for column, expression in expressions.items():
        for name in sorted(expression.references):
            place = survey.places.get(name)
            if place is None:
                raise BadRequestData(
                    f"{where}, {column}: there is no question {name!r}: is it spelt so?"
                )
            if place[0].kind in ("section", "note"):
                raise BadRequestData(
                    f"{where}, {column}: {name!r} is a {place[0].kind}, it has no answer"
                )
        for name in sorted(expression.columns):
            if not _is_column(survey, element, name):
                raise BadRequestData(
                    f"{where}, {column}: the list {element.choices!r} has no column {name!r}"
                )
        for pattern in _PATTERN.findall(expression.text):
            _check_pattern(f"{where}, {column}", pattern[1:-1])
    for text in (*element.label.values(), *element.hint.values()):
        for name in REFERENCE.findall(text):
            if name not in survey.places:
                raise BadRequestData(
                    f"{where}, label: there is no question {name!r}: is it spelt so?"
                )
    if element.choices:
        _check_choices(survey, element, where)
    if element.indicator:
        _check_indicator(survey, element, where)


def _check_indicator(survey: Survey, element: Element, where: str) -> None:
    if element.kind not in ("integer", "decimal") or survey.repeat_of[element.name]:
        raise BadRequestData(
            f"{where}: only a question of the type integer or decimal, outside of repeats, has an"
            " indicator (bind::rynek:indicator)"
        )
    if not _INDICATOR.fullmatch(element.indicator):
        raise BadRequestData(
            f"{where}: the indicator {element.indicator[:80]!r}: the id of one, such as bins-over-80,"
            " or reference:TABLE/COLUMN"
        )


def _column(element: Element) -> str:
    """The column whose expression is the one that cannot be read."""
    from rynek.indicators.survey.expression import parse_expression

    for column in ("relevant", "required", "constraint", "calculation", "choice_filter"):
        try:
            parse_expression(getattr(element, column) or "1", columns=column == "choice_filter")
        except BadRequestData:
            return column
    return "expressions"


def _is_column(survey: Survey, element: Element, name: str) -> bool:
    listed = survey.choices.get(element.choices, ())
    return name == "name" or any(name in choice.more for choice in listed)


def _check_pattern(where: str, pattern: str) -> None:
    try:
        compiled(pattern)
    except BadRequestData as problem:
        raise BadRequestData(f"{where}: {problem.detail}") from None


def _check_choices(survey: Survey, element: Element, where: str) -> None:
    listed = survey.choices.get(element.choices, ())
    if not listed:
        raise BadRequestData(f"{where}: the sheet choices has no list {element.choices!r}")
    names = [choice.name for choice in listed]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadRequestData(
                f"{where}: the choice {name!r} stands twice in {element.choices!r}"
            )
        if not name or len(name) > _MAX_NAME or name.split() != [name]:
            raise BadRequestData(
                f"{where}: the choice {name!r} of {element.choices!r}: a name has no spaces and"
                f" 1 to {_MAX_NAME} characters"
            )
        seen.add(name)
