"""Values that no reading gives: columns of reference tables, answers to a survey, and what is
divided by inhabitants or area."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from rynek.base.messages import Message
from rynek.indicators.definition import Definition, Part, Question
from rynek.indicators.kpi.known import (
    OLDEST,
    Sources,
    denominator,
    known_value,
    lacking,
    origin,
    year_of,
)
from rynek.indicators.kpi.period import Period, parse_period
from rynek.indicators.kpi.value import LEVEL, Thing, Value
from rynek.indicators.reference.importing import Imported
from rynek.indicators.saying import say
from rynek.indicators.survey.results import results
from rynek.indicators.survey.store import Wave

__all__ = ["given_value", "per_head"]

_PERCENT: Final = 100.0


def given_value(one: Definition, period: Period, sources: Sources | None) -> Value:
    """The value of an indicator that is asked or imported, for the newest figures of the period
    or before it."""
    found = sources or Sources()
    if one.asked is not None:
        return _asked(one, one.asked, period, found)
    if one.known is not None:
        return known_value(one, one.known, period, found)
    why, best = say("given-no-table"), None
    for part in one.imported:
        table = found.table(part.table)
        if table is None:
            continue
        version, _, body = table
        key = next((name for name in found.names if name in body.keys), None)
        if key is None:
            why = _unknown(part.table, found.names)
            continue
        value = _imported(one, part, period, version, body, key)
        if value.status == "ok":
            return value
        best = best or value
    return best or lacking(one, period, why)


def _imported(
    one: Definition, part: Part, period: Period, version: int, body: Imported, key: str
) -> Value:
    row, last = body.keys.index(key), year_of(period)
    year = part.year
    if year is None:
        year = _newest_year(body, row, last)
    source = origin(
        f"reference/{part.table}", version, part.above, period, {"key": key, "year": year}
    )
    made = lacking(one, period, None, source)
    if year is None or not last - OLDEST <= year <= last:
        if year is None:
            return msgspec.structs.replace(made, why=say("given-no-figure", years=OLDEST))
        return msgspec.structs.replace(made, why=say("given-old", year=str(year), years=OLDEST))
    columns = {name.replace("{year}", str(year)) for name in (*part.above, *part.below)}
    empty = sorted(
        name for name in columns if body.columns.get(name, [None] * row + [None])[row] is None
    )
    if empty:
        return msgspec.structs.replace(
            made, why=say("given-empty", table=part.table, key=key, columns=empty)
        )
    above, below = (
        [body.columns[name.replace("{year}", str(year))][row] for name in names]
        for names in (part.above, part.below)
    )
    under = math.fsum(below) if part.below else 1.0
    if under <= 0:
        why = say("given-divisor", columns=list(part.below), amount=under, key=key)
        return msgspec.structs.replace(made, status="contradictory data", why=why)
    value = part.scale * math.fsum(above) / under
    if one.unit == "%" and not 0 <= value <= _PERCENT:
        why = say("given-share", share=value / _PERCENT, key=key)
        return msgspec.structs.replace(made, status="contradictory data", why=why)
    return msgspec.structs.replace(
        made,
        status="ok",
        period=parse_period(str(year), period.zone),
        value=value,
        coverage=1.0,
        things=(Thing(id=key, value=value, coverage=1.0, readings=1),),
    )


def _asked(one: Definition, asked: Question, period: Period, sources: Sources) -> Value:
    wave = _newest_wave(asked.survey, period, sources)
    if wave is None or sources.surveys is None:
        return lacking(one, period, say("asked-no-results", survey=asked.survey))
    survey, _ = sources.surveys.survey(wave.survey, wave.version)
    told = results(survey, list(sources.surveys.responses(wave.id)), public=True)
    span = Period(wave.id, wave.opened, wave.deadline, period.zone)
    name = {"wave": wave.id, "question": asked.question, "choices": asked.choices}
    source = origin(f"survey/{asked.survey}", wave.version, (asked.question,), span, name)
    made = msgspec.structs.replace(
        lacking(one, span, None, source),
        coverage=told["rate"] or 0.0,
        readings=told["answered"] or 0,
        why=say("asked-example") if wave.example else None,
    )
    question = next((each for each in told["questions"] if each["name"] == asked.question), None)
    if question is None:
        return msgspec.structs.replace(made, why=say("asked-no-question", question=asked.question))
    if made.coverage < one.least_coverage:
        why = say("asked-few", share=made.coverage, needed=one.least_coverage)
        return msgspec.structs.replace(made, why=why)
    return _answered(made, asked, question, told["weighting"]["design_effect"] or 1.0)


def _answered(made: Value, asked: Question, question: dict[str, Any], effect: float) -> Value:
    count = question["n"]
    if not count:
        return msgspec.structs.replace(made, why=say("asked-too-few"))
    if not asked.choices:
        numbers = question.get("numbers")
        if numbers is None:
            return msgspec.structs.replace(made, why=say("asked-no-numbers"))
        return msgspec.structs.replace(
            made, status="ok", value=numbers["weighted_mean"], readings=count
        )
    shares = [each["weighted"] for each in question["choices"] if each["name"] in asked.choices]
    if len(shares) < len(asked.choices) or None in shares:
        return msgspec.structs.replace(made, why=say("asked-hidden", least=5))
    share = math.fsum(shares)
    # A simple random sample without replacement of those invited, made smaller by the weights.
    error = math.sqrt(share * (1 - share) * (1 - made.coverage) * effect / max(count - 1, 1))
    return msgspec.structs.replace(
        made,
        status="ok",
        value=_PERCENT * share,
        readings=count,
        standard_error=_PERCENT * error if error else None,
        interval=_reach(_PERCENT * share, _PERCENT * error) if error else None,
    )


def _reach(value: float, error: float) -> tuple[float, float]:
    from scipy.stats import norm

    reach = float(norm.ppf((1 + LEVEL) / 2)) * error
    return max(value - reach, 0.0), min(value + reach, _PERCENT)


def per_head(value: Value, sources: Sources | None) -> Value:
    """The value divided by what its definition names; without that figure there is none."""
    per = value.definition.per
    if per is None or value.value is None:
        return value
    found = denominator(per.of, per.many, value.period, sources or Sources())
    if isinstance(found, Message):
        return msgspec.structs.replace(
            value, status="not enough data", value=None, why=found, standard_error=None,
            interval=None,
        )  # fmt: skip
    factor = per.many / found.amount
    error, interval = value.standard_error, value.interval
    return msgspec.structs.replace(
        value,
        value=value.value * factor,
        standard_error=None if error is None else error * factor,
        interval=None if interval is None else (interval[0] * factor, interval[1] * factor),
        per=found,
    )


def _newest_year(body: Imported, row: int, last: int) -> int | None:
    years = [
        int(name)
        for name, values in body.columns.items()
        if name.isdecimal() and len(name) < 10 and int(name) <= last and values[row] is not None
    ]
    return max(years, default=None)


def _newest_wave(survey: str, period: Period, sources: Sources) -> Wave | None:
    waves = [] if sources.surveys is None else sources.surveys.waves()
    fit = [
        one
        for one in waves
        if one.survey == survey and one.results == "public" and one.opened < period.end
    ]
    return max(fit, key=lambda one: one.opened, default=None)


def _unknown(table: str, names: tuple[str, ...]) -> Message:
    """Why a table has no row of the city."""
    if not names:
        return say("given-no-names")
    return say("given-no-city", table=table, names=list(names))
