"""What an answering page shows of a survey: its fields with answers, in words."""

from __future__ import annotations

from typing import Any

import msgspec

from rynek.base.clock import MICRO
from rynek.indicators import CONFIRMED, Element, Fault, State, Wave, text_of
from rynek.web.contract import said
from rynek.web.i18n import Translator

__all__ = ["Field", "View", "moment", "until"]

_LONG_LIST = 12


def moment(t: Translator, at: int, wave: Wave, place: str = "") -> str:
    """Epoch microseconds in words, on the clocks of `place` or of the wave's own, which are named:
    the same time reads alike for who is in another zone."""
    at, zone, name = _clocks(at, wave, place)
    return f"{t.minute(at, zone)} ({name})"


def until(t: Translator, wave: Wave, place: str = "") -> str:
    """A wave's deadline as `moment` has it; where it is midnight, the day that ends then."""
    at, zone, name = _clocks(wave.deadline, wave, place)
    minute = 60 * MICRO
    if t.time(at, zone) not in (t.time(-minute, "UTC"), t.time(0, "UTC")):
        return moment(t, wave.deadline, wave, place)
    day = t.date(at - minute, zone, "medium")
    return t("%(day)s, end of the day (%(clocks)s)", day=day, clocks=name)


def _clocks(at: int, wave: Wave, place: str) -> tuple[int, str, str]:
    """A time and the zone in which to write it, and what that zone is called."""
    if place := place or wave.place:
        return at, place, place.replace("_", " ")
    hours, minutes = divmod(abs(wave.zone), 60)
    sign = "+" if wave.zone > 0 else "-"
    name = f"UTC{sign}{hours:02}:{minutes:02}" if wave.zone else "UTC"
    return at + wave.zone * 60 * MICRO, "UTC", name


class Field(msgspec.Struct):
    """A question, note, section or repeat as the template draws it."""

    name: str
    id: str
    kind: str
    label: str
    hint: str = ""
    required: bool = False
    value: str = ""
    error: str = ""
    choices: list[tuple[str, str, bool]] = []
    fields: list[Field] = []
    entries: list[list[Field]] = []
    long: bool = False
    lines: bool = False
    measured: str = ""
    measured_text: str = ""
    origin: str = ""
    told: str = ""
    reason: str = ""


class View:
    """A survey with a respondent's answers, in a language."""

    def __init__(self, state: State, t: Translator, faults: list[Fault]) -> None:
        self.state, self.t = state, t
        self._faults = {(fault.name, fault.index): fault.code for fault in faults}
        self._language = t.language

    def pages(self) -> list[Element]:
        """The sections that apply."""
        return [each for each in self.state.survey.elements if self.state.shown(each.name)]

    def title(self, page: Element) -> str:
        """A section's words; "" for one without any."""
        return self._filled(said(page.label, self._language), 0)

    def fields(self, page: Element) -> list[Field]:
        """What a page holds, as far as it applies."""
        return self._fields(page.children, 0)

    def problems(self, faults: list[Fault]) -> list[tuple[str, str, str, str]]:
        """Faults as the page they stand on, the field's id, the question and what is wrong."""
        told = []
        for fault in faults:
            element, around = self.state.survey.places[fault.name]
            label = self._filled(said(element.label, self._language), fault.index)
            ident = self._name(element, fault.index)
            told.append((around[0].name, f"f-{ident}", label, self._error(element, fault.index)))
        return told

    def answered(self) -> list[tuple[str, str]]:
        """Every question that was answered with its answer, in words."""
        return [
            (
                self._filled(said(element.label, self._language), index),
                self._words(element, self.state.value(element.name, index))
                + self._contested(element),
            )
            for element in self.state.survey.questions
            if element.kind != "calculation"
            for index in range(self.state.entries(self.state.survey.repeat_of[element.name]))
            if self.state.value(element.name, index)
        ]

    def _contested(self, element: Element) -> str:
        """Beside a figure of the respondent's own the measured one, and why it is another."""
        state = self.state
        if not element.indicator or state.told(element.name) in ("", CONFIRMED):
            return ""
        told = self.t("Measured: %(value)s", value=self._figure(element))
        return f" ({told}; {state.reason(element.name)})"

    def _figure(self, element: Element) -> str:
        one = self.state.measured[element.indicator]
        return f"{self.t.number(one.value, 6)} {one.unit}".strip()

    def _fields(self, elements: tuple[Element, ...], index: int) -> list[Field]:
        return [
            self._field(each, index)
            for each in elements
            if each.kind != "calculation" and self.state.shown(each.name, index)
        ]

    def _field(self, element: Element, index: int) -> Field:
        state = self.state
        name = self._name(element, index)
        value = state.raw(element.name, index)
        field = Field(
            name=name,
            id=f"f-{name}",
            kind=element.kind,
            label=self._filled(said(element.label, self._language), index),
            hint=self._filled(said(element.hint, self._language), index),
            required=state.required(element, index),
            value=value,
            error=self._error(element, index),
            lines=element.lines,
        )
        if text_of(element, state.measured):
            self._measure(field, element)
        if element.kind in ("one", "many"):
            chosen = value.split()
            field.choices = [
                (each.name, said(each.label, self._language) or each.name, each.name in chosen)
                for each in state.choices(element, index)
            ]
            field.long = element.kind == "one" and len(field.choices) > _LONG_LIST
        elif element.kind == "section":
            field.fields = self._fields(element.children, index)
        elif element.kind == "repeat":
            field.entries = [
                self._fields(element.children, n) for n in range(state.entries(element.name))
            ]
        return field

    def _measure(self, field: Field, element: Element) -> None:
        """The measured figure of a question, and what was said of it."""
        state, t = self.state, self.t
        one = state.measured[element.indicator]
        field.measured_text = text_of(element, state.measured)
        field.measured = self._figure(element)
        parts = [one.origin]
        if one.coverage is not None:
            parts.append(
                t("observed: %(share)s of the time", share=t.percent(round(one.coverage, 3)))
            )
        if one.low is not None and one.high is not None:
            parts.append(t("likely between %(low)s and %(high)s", low=t.number(one.low, 3), high=t.number(one.high, 3)))  # fmt: skip
        field.origin = "; ".join(parts)
        field.told = state.told(element.name)
        field.reason = state.reason(element.name)
        if field.told == CONFIRMED:
            field.value = ""

    def _name(self, element: Element, index: int) -> str:
        repeat = self.state.survey.repeat_of[element.name]
        return f"{repeat}.{index}.{element.name}" if repeat else element.name

    def _error(self, element: Element, index: int) -> str:
        code = self._faults.get((element.name, index))
        if code is None:
            return ""
        own = {"constraint": element.constraint_message, "required": element.required_message}
        return said(own.get(code, {}), self._language) or self._reasons(element)[code]

    def _reasons(self, element: Element) -> dict[str, str]:
        t = self.t
        low, high = element.least or 0, element.most or 0
        return {
            "required": t("Please answer this question."),
            "integer": t("Please write a whole number, such as 12."),
            "decimal": t("Please write a number, such as 12.5."),
            "date": t("Please write a date as year-month-day, such as 2026-05-31."),
            "choice": t("Please choose from the list."),
            "long": t("This text is too long: 10,000 characters are the most."),
            "range": t("A number from %(low)s to %(high)s, please.", low=t.number(low), high=t.number(high)),
            "told": t("Please say whether the measured figure is right."),
            "reason": t("Please say in a few words why your figure is another."),
            "constraint": t("This answer is outside of what is possible here."),
        }  # fmt: skip

    def _words(self, element: Element, value: str) -> str:
        if element.kind in ("one", "many"):
            listed: dict[str, Any] = {
                each.name: said(each.label, self._language) or each.name
                for each in self.state.survey.choices.get(element.choices, ())
            }
            return ", ".join(listed.get(each, each) for each in value.split())
        return self.t("Yes") if element.kind == "tick" else value

    def _filled(self, text: str, index: int) -> str:
        """A text with `${name}` replaced by the answer."""
        if "${" not in text:
            return text
        parts = text.split("${")
        found = [parts[0]]
        for part in parts[1:]:
            name, closed, rest = part.partition("}")
            place = self.state.survey.places.get(name.strip())
            inside = bool(self.state.survey.repeat_of.get(name.strip()))
            found.append(
                self._words(place[0], self.state.value(name.strip(), index if inside else 0)) + rest
                if place and closed
                else "${" + part
            )
        return "".join(found)
