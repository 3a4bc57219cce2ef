"""A survey: its sections, questions and choices, in several languages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final, Literal

import msgspec

from rynek.base.errors import BadRequestData
from rynek.indicators.survey.expression import Expression, parse_expression

__all__ = [
    "ANSWERED",
    "LANGUAGES",
    "REFERENCE_PREFIX",
    "Choice",
    "Element",
    "Kind",
    "Survey",
    "Text",
]

Text = dict[str, str]
Kind = Literal[
    "section", "repeat", "note", "text", "integer", "decimal", "date", "one", "many", "tick",
    "calculation",
]  # fmt: skip
# What a respondent gives an answer to.
ANSWERED: Final = ("text", "integer", "decimal", "date", "one", "many", "tick")
REFERENCE_PREFIX: Final = "reference:"
LANGUAGES: Final = ("en", "pl", "cs", "bg", "uk", "sr")


class Choice(msgspec.Struct, frozen=True):
    """An answer that may be chosen; `more` are further columns, for choice filters."""

    name: str
    label: Text
    more: dict[str, str] = {}


class Element(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """A question, a section or a repeat. Expressions are kept as text; "" is none.

    `indicator` names a figure that may be measured for the respondent, who then confirms or
    contests it: an indicator, or `reference:TABLE/COLUMN`.
    """

    name: str
    kind: Kind
    label: Text = {}
    hint: Text = {}
    relevant: str = ""
    required: str = ""
    required_message: Text = {}
    constraint: str = ""
    constraint_message: Text = {}
    calculation: str = ""
    default: str = ""
    choices: str = ""
    choice_filter: str = ""
    lines: bool = False
    least: float | None = None
    most: float | None = None
    indicator: str = ""
    children: tuple[Element, ...] = ()

    @cached_property
    def expressions(self) -> dict[str, Expression]:
        """Its expressions by the column of the XLSForm that they stand in."""
        given = {
            "relevant": self.relevant,
            "required": self.required,
            "constraint": self.constraint,
            "calculation": self.calculation,
            "choice_filter": self.choice_filter,
        }
        return {
            name: parse_expression(text, columns=name == "choice_filter")
            for name, text in given.items()
            if text
        }

    @property
    def needs(self) -> set[str]:
        """What must be known before it is: whose answers its conditions and calculation use."""
        known = self.expressions
        return {
            name
            for column in ("relevant", "calculation", "choice_filter")
            if column in known
            for name in known[column].references
        }


class Survey(msgspec.Struct, frozen=True, dict=True):
    """A whole survey as it was imported; `languages` in the order of its file."""

    id: str
    title: Text
    version: str
    languages: tuple[str, ...]
    elements: tuple[Element, ...]
    choices: dict[str, tuple[Choice, ...]] = {}
    notes: tuple[str, ...] = ()

    def walk(self) -> Iterator[tuple[Element, tuple[Element, ...]]]:
        """Every element with those around it, the outermost first; in the order of the survey."""
        yield from _walk(self.elements, ())

    @cached_property
    def places(self) -> dict[str, tuple[Element, tuple[Element, ...]]]:
        """Each element and those around it, by name."""
        return {element.name: (element, around) for element, around in self.walk()}

    @cached_property
    def repeat_of(self) -> dict[str, str]:
        """The repeat that an element stands in, by its name; "" for one in none."""
        return {
            element.name: next((each.name for each in around if each.kind == "repeat"), "")
            for element, around in self.walk()
        }

    @cached_property
    def questions(self) -> tuple[Element, ...]:
        """What has a value: questions and calculations, in order."""
        return tuple(
            element
            for element, _ in self.walk()
            if element.kind in ANSWERED or element.kind == "calculation"
        )

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The names so that each comes after what it needs. BadRequestData names a circle."""
        needs = {
            element.name: sorted(element.needs | {each.name for each in around[-1:]})
            for element, around in self.walk()
        }
        done: dict[str, None] = {}
        for start in needs:
            _visit(start, needs, done)
        return tuple(done)


def _visit(start: str, needs: dict[str, list[str]], done: dict[str, None]) -> None:
    """Depth first without recursion: a chain of conditions may be as long as the survey."""
    stack = [] if start in done else [(start, iter(needs[start]))]
    trail = dict.fromkeys([start] if stack else [])
    while stack:
        name, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            done[name] = None
            stack.pop()
            del trail[name]
        elif following in trail:
            names = list(trail)
            circle = [*names[names.index(following) :], following]
            raise BadRequestData(
                f"question {following!r}: whether it is shown hangs on itself:"
                f" {' needs '.join(circle[:12])}; change one of these conditions"
            )
        elif following not in done and following in needs:
            stack.append((following, iter(needs[following])))
            trail[following] = None


def _walk(
    elements: tuple[Element, ...], around: tuple[Element, ...]
) -> Iterator[tuple[Element, tuple[Element, ...]]]:
    for element in elements:
        yield element, around
        yield from _walk(element.children, (*around, element))
