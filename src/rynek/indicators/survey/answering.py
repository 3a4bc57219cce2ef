"""Answers against a survey: what is shown, what is calculated, and what is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import msgspec

from rynek.indicators.survey.functions import Value, as_number
from rynek.indicators.survey.measured import (
    CONFIRMED,
    CONTESTED,
    MEASURED,
    REASON,
    SOURCE,
    TOLD,
    Measured,
    beside,
    text_of,
)
from rynek.indicators.survey.model import ANSWERED, Choice, Element, Survey

__all__ = ["MAX_ENTRIES", "Answers", "Fault", "State", "read_answers"]

# By name: text as XForms has it (chosen names with spaces between), or the entries of a repeat.
Answers = dict[str, Any]
Place = tuple[str, int]
MAX_ENTRIES: Final = 50
_MAX_ANSWER: Final = 10_000
_MAX_REASON: Final = 2_000
_NOTHING: Final[dict[str, Measured]] = {}


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with an answer: `code` is required, integer, decimal, date, choice, long,
    range or constraint, told (neither confirmed nor contested) or reason (contested without one);
    `index` is the entry of the repeat it stands in (0 in none)."""

    name: str
    index: int
    code: str


class State:
    """A survey with some answers, worked out: every condition and calculation once, in an order in
    which what each needs is known. `measured` are figures of the respondent, by indicator."""

    def __init__(
        self,
        survey: Survey,
        answers: Mapping[str, Any],
        today: str,
        measured: Mapping[str, Measured] = _NOTHING,
    ) -> None:
        self.survey = survey
        self.today = today
        self.measured = measured
        self._answers = answers
        self._shown: dict[Place, bool] = {}
        self._values: dict[Place, str] = {}
        for name in survey.order:
            element, around = survey.places[name]
            for index in range(self.entries(survey.repeat_of[name])):
                self._settle(element, around, index)

    def entries(self, repeat: str) -> int:
        """How many entries a repeat has; 1 for what is in none."""
        return len(self._answers.get(repeat) or ()) if repeat else 1

    def raw(self, name: str, index: int = 0) -> str:
        """An answer as it was given, whether it is shown or not."""
        if self.measured and self.told(name) == CONFIRMED:
            return text_of(self.survey.places[name][0], self.measured)
        repeat = self.survey.repeat_of[name]
        holder = self._answers
        if repeat:
            entries = self._answers.get(repeat) or ()
            holder = entries[index] if index < len(entries) else {}
        given = holder.get(name, "")
        return given if isinstance(given, str) else ""

    def told(self, name: str) -> str:
        """Whether the measured figure was confirmed or contested; "" for neither, for a question
        without one, and where another was measured since."""
        text = text_of(self.survey.places[name][0], self.measured)
        if not text or beside(name, self._answers, MEASURED) != text:
            return ""
        told = beside(name, self._answers, TOLD)
        return told if told in (CONFIRMED, CONTESTED) else ""

    def reason(self, name: str) -> str:
        """Why a measured figure is contested."""
        return beside(name, self._answers, REASON)

    def shown(self, name: str, index: int = 0) -> bool:
        """Whether an element applies, by its own condition and those around it."""
        return self._shown.get((name, index), False)

    def value(self, name: str, index: int = 0) -> str:
        """An answer or a calculation; "" where it does not apply."""
        return self._values.get((name, index), "")

    def choices(self, element: Element, index: int = 0) -> list[Choice]:
        """The choices that may be chosen, by the filter."""
        listed = self.survey.choices.get(element.choices, ())
        chosen = element.expressions.get("choice_filter")
        if chosen is None:
            return list(listed)
        return [each for each in listed if chosen.truth(_Scope(self, element, index, each))]

    def required(self, element: Element, index: int = 0) -> bool:
        """Whether it must be answered."""
        asked = element.expressions.get("required")
        return asked is not None and asked.truth(_Scope(self, element, index))

    def faults(self, within: Element | None = None, *, required: bool = True) -> list[Fault]:
        """What is wrong with the answers that apply, in a section or in all of them."""
        return [
            Fault(element.name, index, code)
            for element, around in self.survey.walk()
            if element.kind in ANSWERED and (within is None or within in (element, *around))
            for index in range(self.entries(self.survey.repeat_of[element.name]))
            if self.shown(element.name, index)
            and (code := self._fault(element, index, required=required))
        ]

    def final(self) -> Answers:
        """The answers that count: those that apply, and the calculations; beside those over a
        measured figure that figure, where it is from, and what was said of it."""
        found: Answers = {}
        for element in self.survey.questions:
            repeat = self.survey.repeat_of[element.name]
            for index in range(self.entries(repeat)):
                value = self.value(element.name, index)
                if not value:
                    continue
                if repeat:
                    rows = found.setdefault(repeat, [{} for _ in range(self.entries(repeat))])
                    rows[index][element.name] = value
                else:
                    found[element.name] = value
                    found |= self._beside(element)
        return found

    def _beside(self, element: Element) -> Answers:
        told = self.told(element.name) if self.measured else ""
        if not told:
            return {}
        found = {
            MEASURED: text_of(element, self.measured),
            SOURCE: self.measured[element.indicator].origin,
            TOLD: told,
        }
        if told == CONTESTED:
            found[REASON] = self.reason(element.name)
        return {element.name + mark: text for mark, text in found.items()}

    def _settle(self, element: Element, around: tuple[Element, ...], index: int) -> None:
        outer = around[-1] if around else None
        inside = outer is None or self.shown(outer.name, index if self._repeats(outer) else 0)
        condition = element.expressions.get("relevant")
        place = (element.name, index)
        scope = _Scope(self, element, index)
        self._shown[place] = inside and (condition is None or condition.truth(scope))
        if not self._shown[place]:
            return
        calculated = element.expressions.get("calculation")
        self._values[place] = calculated.text_in(scope) if calculated else self.raw(*place)

    def _repeats(self, element: Element) -> bool:
        return bool(self.survey.repeat_of[element.name])

    def _fault(self, element: Element, index: int, *, required: bool) -> str:
        value = self.raw(element.name, index)
        if self.measured and text_of(element, self.measured):
            code = self._untold(element, value, required=required)
            if code:
                return code
        if not value:
            return "required" if required and self.required(element, index) else ""
        if len(value) > _MAX_ANSWER:
            return "long"
        code = _wrong_kind(element, value)
        if not code and element.kind in ("one", "many"):
            allowed = {each.name for each in self.choices(element, index)}
            chosen = value.split() if element.kind == "many" else [value]
            code = "" if set(chosen) <= allowed and len(set(chosen)) == len(chosen) else "choice"
        limit = element.expressions.get("constraint")
        if not code and limit is not None and not limit.truth(_Scope(self, element, index)):
            code = "constraint"
        return code

    def _untold(self, element: Element, value: str, *, required: bool) -> str:
        """What lacks beside an answer over a measured figure."""
        told = self.told(element.name)
        if not told:
            return "told" if value or (required and self.required(element)) else ""
        if told == CONFIRMED:
            return ""
        if len(self.reason(element.name)) > _MAX_REASON:
            return "long"
        if not value and required:
            return "required"
        return "" if self.reason(element.name) or not required else "reason"


class _Scope:
    """What an expression of an element sees."""

    def __init__(
        self, state: State, element: Element, index: int, choice: Choice | None = None
    ) -> None:
        self._state, self._element, self._index, self._choice = state, element, index, choice
        self.own = state.raw(element.name, index)
        self.today = state.today

    def value(self, name: str) -> Value:
        state, survey = self._state, self._state.survey
        if survey.places[name][0].kind == "repeat":
            return ["1"] * state.entries(name)
        repeat = survey.repeat_of[name]
        if not repeat:
            return state.value(name)
        if repeat == survey.repeat_of[self._element.name]:
            return state.value(name, self._index)
        return [state.value(name, index) for index in range(state.entries(repeat))]

    def column(self, name: str) -> Value:
        if self._choice is None:
            return ""
        return self._choice.name if name == "name" else self._choice.more.get(name, "")


def _wrong_kind(element: Element, value: str) -> str:
    if element.kind in ("integer", "decimal"):
        number = as_number(value)
        if not math.isfinite(number) or "-" in value[1:] or "e" in value.lower():
            return element.kind
        if element.kind == "integer" and number != int(number):
            return "integer"
        low, high = element.least, element.most
        if (low is not None and number < low) or (high is not None and number > high):
            return "range"
    if element.kind == "date":
        try:
            date.fromisoformat(value)
        except ValueError:
            return "date"
        return "" if len(value) == 10 else "date"
    return ""


def read_answers(survey: Survey, given: Mapping[str, list[str]], within: Element) -> Answers:
    """The answers of one section from a sent form, whose fields are `name` or `repeat.0.name`.

    What is not asked in the section is passed over. Numbers may be written with a comma.
    """
    found: Answers = {}
    for element, around in survey.walk():
        if within not in (element, *around):
            continue
        repeat = survey.repeat_of[element.name]
        if element.kind == "repeat":
            found[element.name] = [{} for _ in range(_sent_entries(given, element.name))]
        elif element.kind in ANSWERED and repeat:
            for index, entry in enumerate(found.get(repeat, ())):
                entry[element.name] = _read(element, given.get(f"{repeat}.{index}.{element.name}"))
        elif element.kind in ANSWERED:
            found[element.name] = _read(element, given.get(element.name))
            if element.indicator:
                for mark in (TOLD, MEASURED, REASON):
                    sent = given.get(element.name + mark) or [""]
                    found[element.name + mark] = _plain(sent[0])[: _MAX_REASON + 1]
    return found


def _sent_entries(given: Mapping[str, list[str]], repeat: str) -> int:
    text = (given.get(f"{repeat}.entries") or ["0"])[0]
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    return min(number, MAX_ENTRIES)


def _read(element: Element, sent: list[str] | None) -> str:
    if not sent:
        return ""
    if element.kind == "many":
        return " ".join(each.strip() for each in sent if each.strip())
    text = _plain(sent[0])
    if element.kind in ("integer", "decimal"):
        text = text.replace(" ", "").replace("\u00a0", "").replace("\u202f", "")
        text = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    return text


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip().replace("\x00", "")
