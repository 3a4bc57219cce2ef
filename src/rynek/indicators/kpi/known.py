"""What reference tables know of a city by what their columns mean: its people and its area."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from rynek.base.messages import Message
from rynek.indicators.definition import Definition, Known
from rynek.indicators.kpi.period import Period, parse_period
from rynek.indicators.kpi.value import Denominator, Provenance, Thing, Value
from rynek.indicators.reference.importing import Imported
from rynek.indicators.reference.store import References
from rynek.indicators.saying import say
from rynek.indicators.survey.store import Surveys

__all__ = ["OLDEST", "Sources", "denominator", "inhabitants", "known_value", "lacking", "origin"]

OLDEST: Final = 10
"""Years that a figure may be older than the period it stands in for."""
_OLDEST_KNOWN: Final = 20
"""The same of people: they change slowly, and the year is told beside the figure."""
_LONGEST: Final = 2
"""Over at most so many times the years that a definition asks for a change is told."""
_PERCENT: Final = 100.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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


class _Figure(NamedTuple):
    """An amount, of which year (None: not stated), and where it stands."""

    amount: float
    year: int | None
    table: str
    version: int
    key: str
    column: str


def known_value(one: Definition, asked: Known, period: Period, sources: Sources) -> Value:
    """The value of an indicator that any table gives whose columns mean people or area, for the
    newest figure of the period's year or before it."""
    last = year_of(period)
    figures = [each for each in _figures("population", sources) if (each.year or last + 1) <= last]
    pairs = figures if asked.years is None else _with_earlier(figures, asked.years)
    newest = max(pairs, key=lambda each: each.year or 0, default=None)
    if newest is None:
        why = say("known-change", years=asked.years) if figures and asked.years else None
        return lacking(one, period, why or _without("population", sources.names))
    assert newest.year is not None
    if newest.year < last - _OLDEST_KNOWN:
        return lacking(one, period, say("per-old", year=str(newest.year), years=_OLDEST_KNOWN))
    value, told = newest.amount, [newest]
    if asked.years is not None:
        told.append(_earlier(newest, figures, asked.years) or newest)
        value = _change(newest, told[1])
    elif asked.per_area:
        area = max(_figures("area", sources), key=lambda each: each.year or 0, default=None)
        if area is None:
            return lacking(one, period, _without("area", sources.names))
        told.append(area)
        value /= area.amount
    return _value(one, value, told, period)


def _value(one: Definition, value: float, told: list[_Figure], period: Period) -> Value:
    newest = told[0]
    asked = {"key": newest.key, "figures": [list(each) for each in told]}
    columns = tuple(each.column for each in told)
    made = lacking(
        one,
        parse_period(str(newest.year), period.zone),
        None,
        origin(f"reference/{newest.table}", newest.version, columns, period, asked),
    )
    return msgspec.structs.replace(
        made,
        status="ok",
        value=value,
        coverage=1.0,
        things=(Thing(id=newest.key, value=value, coverage=1.0, readings=1),),
    )


def _with_earlier(figures: list[_Figure], years: int) -> list[_Figure]:
    return [each for each in figures if _earlier(each, figures, years) is not None]


def _earlier(newest: _Figure, figures: list[_Figure], years: int) -> _Figure | None:
    """The figure of the same table that is nearest to so many years before, at least as many and
    at most _LONGEST times: two tables may count the people of a city in two ways."""
    assert newest.year is not None
    fit = [
        each
        for each in figures
        if each.table == newest.table
        and each.year is not None
        and years <= newest.year - each.year <= _LONGEST * years
    ]
    return max(fit, key=lambda each: each.year or 0, default=None)


def _change(newest: _Figure, before: _Figure) -> float:
    """Mean change a year, in per cent."""
    assert newest.year is not None
    assert before.year is not None
    share = (newest.amount / before.amount) ** (1 / (newest.year - before.year))
    return _PERCENT * float(share - 1)


def inhabitants(period: Period, sources: Sources) -> Denominator | None:
    """How many people live in a city, by the newest figure of the period's year or before, however
    old; None where no reference table of people knows it."""
    found = denominator("population", 1.0, period, sources, oldest=year_of(period))
    return None if isinstance(found, Message) else found


def denominator(
    of: str, many: float, period: Period, sources: Sources, oldest: int = OLDEST
) -> Denominator | Message:
    """The newest figure of the period's year or before, or why there is none."""
    last, best = year_of(period), None
    for each in _figures(of, sources):
        # An area hardly changes: whichever year it is of.
        if of == "population" and (each.year is None or each.year > last):
            continue
        if best is None or (each.year or 0) > (best.year or 0):
            best = each
    if best is None:
        return _without(of, sources.names)
    if of == "population" and (best.year or 0) < last - oldest:
        return say("per-old", year=str(best.year), years=oldest)
    return Denominator(
        of=of, many=many, amount=best.amount, year=best.year, table=best.table,
        version=best.version, key=best.key, column=best.column,
    )  # fmt: skip


def _figures(of: str, sources: Sources) -> Iterator[_Figure]:
    """Every figure that the tables have of it for the city."""
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
            if amount and amount > 0:
                yield _Figure(float(amount), year, table, version, key, column)


def _columns(of: str, about: dict[str, Any], body: Imported) -> list[tuple[str, int | None]]:
    """The columns of a table that hold people or area, and of which year each is."""
    if about.get("means") == of:
        return [(name, int(name)) for name in body.columns if name.isdecimal() and len(name) < 10]
    return [
        (one["name"], int(one["period"][:4]) if one.get("period", "")[:4].isdecimal() else None)
        for one in about["columns"]
        if one.get("means") == of
    ]


def lacking(
    one: Definition, period: Period, why: Message | None, found: Provenance | None = None
) -> Value:
    """A value that there is not, and why."""
    return Value(
        definition=one,
        period=period,
        status="not enough data",
        why=why,
        provenance=found or origin("", 0, (), period, {}),
    )


def origin(
    table: str, version: int, columns: tuple[str, ...], period: Period, asked: dict[str, Any]
) -> Provenance:
    """Where a figure comes from that no reading gave."""
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


def year_of(period: Period) -> int:
    """The year that the period's last moment is in, of the city's calendar."""
    last = _EPOCH + timedelta(microseconds=max(period.end - 1, period.start))
    return last.astimezone(ZoneInfo(period.zone)).year


def _without(of: str, names: tuple[str, ...]) -> Message:
    """Why nothing is known of a city's people or area."""
    if not names:
        return say("given-no-names")
    return say("per-no-population" if of == "population" else "per-no-area", names=list(names))
