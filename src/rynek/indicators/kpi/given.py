"""Values that no reading gives: columns of reference tables, answers to a survey, and what is
divided by inhabitants or area."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from rynek.base.messages import Message
from rynek.indicators.definition import Definition, Part, Question
from rynek.indicators.kpi.period import Period, parse_period
from rynek.indicators.kpi.value import LEVEL, Denominator, Provenance, Thing, Value
from rynek.indicators.reference.importing import Imported
from rynek.indicators.reference.store import References
from rynek.indicators.saying import say
from rynek.indicators.survey.results import results
from rynek.indicators.survey.store import Surveys, Wave

__all__ = ["Sources", "given_value", "inhabitants", "per_head"]

_OLDEST: Final = 10
"""Years that a figure may be older than the period it stands in for."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PERCENT: Final = 100.0


@dataclass(frozen=True)
class Sources:
    """Where figures come from that are no readings. `names` are the keys under which reference
    tables know the city (a name, a code of LAU or KATOTTH)."""

    references: References | None = None
    names: tuple[str, ...] = ()
    surveys: Surveys | None = None
    _read: dict[tuple[str, int], Imported] = field(default_factory=dict)

    def table(self, name: str) -> tuple[int, dict[str, Any], Imported] | None:
        """A table's newest version, what is said of it, and its content; None without one."""
        for kept in () if self.references is None else self.references.newest():
            if kept.id == name:
                key = (kept.id, kept.version)
                if key not in self._read:
                    assert self.references is not None
                    self._read[key] = self.references.find(*key)[1]
                return kept.version, kept.about, self._read[key]
        return None

    def tables(self) -> list[str]:
        """The ids of the tables that there are."""
        return [] if self.references is None else [one.id for one in self.references.newest()]


def given_value(one: Definition, period: Period, sources: Sources | None) -> Value:
    """The value of an indicator that is asked or imported, for the newest figures of the period
    or before it."""
    found = sources or Sources()
    if one.asked is not None:
        return _asked(one, one.asked, period, found)
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
    return best or _lacking(one, period, why)


def _imported(
    one: Definition, part: Part, period: Period, version: int, body: Imported, key: str
) -> Value:
    row, last = body.keys.index(key), _year(period)
    year = part.year
    if year is None:
        year = _newest_year(body, row, last)
    origin = _origin(
        f"reference/{part.table}", version, part.above, period, {"key": key, "year": year}
    )
    made = _lacking(one, period, None, origin)
    if year is None or not last - _OLDEST <= year <= last:
        if year is None:
            return msgspec.structs.replace(made, why=say("given-no-figure", years=_OLDEST))
        return msgspec.structs.replace(made, why=say("given-old", year=str(year), years=_OLDEST))
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
        return _lacking(one, period, say("asked-no-results", survey=asked.survey))
    survey, _ = sources.surveys.survey(wave.survey, wave.version)
    told = results(survey, list(sources.surveys.responses(wave.id)), public=True)
    span = Period(wave.id, wave.opened, wave.deadline, period.zone)
    name = {"wave": wave.id, "question": asked.question, "choices": asked.choices}
    origin = _origin(f"survey/{asked.survey}", wave.version, (asked.question,), span, name)
    made = msgspec.structs.replace(
        _lacking(one, span, None, origin),
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
    found = _denominator(per.of, per.many, value.period, sources or Sources())
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


def inhabitants(period: Period, sources: Sources) -> Denominator | None:
    """How many people live in a city, by the newest figure of the period's year or before, however
    old; None where no reference table of people knows it."""
    found = _denominator("population", 1.0, period, sources, oldest=_year(period))
    return None if isinstance(found, Message) else found


def _denominator(
    of: str, many: float, period: Period, sources: Sources, oldest: int = _OLDEST
) -> Denominator | Message:
    """The newest figure of the period's year or before, or why there is none."""
    last, best = _year(period), None
    for table in sources.tables():
        read = sources.table(table)
        assert read is not None
        version, about, body = read
        key = next((name for name in sources.names if name in body.keys), None)
        if key is None:
            continue
        row = body.keys.index(key)
        for column, year in _columns(of, about, body):
            amount = body.columns[column][row]
            # An area hardly changes: whichever year it is of.
            late = of == "population" and (year is None or year > last)
            if not amount or amount < 0 or late:
                continue
            rank = year if year is not None else 0
            if best is None or rank > (best.year or 0):
                best = Denominator(
                    of=of, many=many, amount=float(amount), year=year, table=table,
                    version=version, key=key, column=column,
                )  # fmt: skip
    if best is None:
        return _without(of, sources.names)
    if of == "population" and (best.year or 0) < last - oldest:
        return say("per-old", year=str(best.year), years=oldest)
    return best


def _columns(of: str, about: dict[str, Any], body: Imported) -> list[tuple[str, int | None]]:
    """The columns of a table that hold a denominator, and of which year each is."""
    if about.get("means") == of:
        return [(name, int(name)) for name in body.columns if name.isdigit()]
    return [
        (one["name"], int(one["period"][:4]) if one.get("period", "")[:4].isdigit() else None)
        for one in about["columns"]
        if one.get("means") == of
    ]


def _newest_year(body: Imported, row: int, last: int) -> int | None:
    years = [
        int(name)
        for name, values in body.columns.items()
        if name.isdigit() and int(name) <= last and values[row] is not None
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


def _lacking(
    one: Definition, period: Period, why: Message | None, origin: Provenance | None = None
) -> Value:
    return Value(
        definition=one,
        period=period,
        status="not enough data",
        why=why,
        provenance=origin or _origin("", 0, (), period, {}),
    )


def _origin(
    table: str, version: int, columns: tuple[str, ...], period: Period, asked: dict[str, Any]
) -> Provenance:
    return Provenance(
        table=table,
        version=version,
        files=0,
        type="",
        attribute=", ".join(columns),
        since=period.start,
        before=period.end,
        query=json.dumps(asked, ensure_ascii=False) if asked else "",
    )


def _year(period: Period) -> int:
    """The year that the period's last moment is in, of the city's calendar."""
    last = _EPOCH + timedelta(microseconds=max(period.end - 1, period.start))
    return last.astimezone(ZoneInfo(period.zone)).year


def _unknown(table: str, names: tuple[str, ...]) -> Message:
    """Why a table has no row of the city."""
    if not names:
        return say("given-no-names")
    return say("given-no-city", table=table, names=list(names))


def _without(of: str, names: tuple[str, ...]) -> Message:
    """Why nothing is known that a value could be divided by."""
    if not names:
        return say("given-no-names")
    return say("per-no-population" if of == "population" else "per-no-area", names=list(names))
