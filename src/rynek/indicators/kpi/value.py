"""An indicator's value for a period: the number, how sure it is, and where it comes from."""

from __future__ import annotations

import hashlib
import math
from typing import Any, Final, Literal

import msgspec
import numpy as np

from rynek.base.clock import to_iso
from rynek.base.messages import Message
from rynek.indicators.definition import Definition
from rynek.indicators.kpi.period import Period

__all__ = ["Denominator", "Provenance", "Thing", "Value", "sampling_error", "to_document"]

_FEWEST: Final = 5
_WHOLE: Final = 0.995
_SHOWN: Final = 20
LEVEL: Final = 0.95


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The readings behind a value: of which version of the table, in how many files, of which type
    and attribute; `query` gives the sums from them (DuckDB), `parameters` what stands for its `?`.
    """

    table: str
    version: int
    files: int
    type: str
    attribute: str
    since: int
    before: int
    query: str

    @property
    def digest(self) -> str:
        """SHA-256 of the query."""
        return hashlib.sha256(self.query.encode()).hexdigest()


class Denominator(msgspec.Struct, frozen=True, kw_only=True):
    """What a value was divided by: `amount` of `of`, of which `year` (None: not stated), in which
    version of which reference table, under which key and column."""

    of: str
    many: float
    amount: float
    year: int | None
    table: str
    version: int
    key: str
    column: str


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """One thing's part: its value (None: none of it was observed), the share of the period that was
    observed, and its readings."""

    id: str
    value: float | None
    coverage: float
    readings: int


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is None where `status` is not ok, and `why` says what lacks. `coverage` is the share
    of the time of all things that was observed; `first` and `last` are times of readings (µs).

    `standard_error` and `interval` (95 %) are there where a part was not observed: the days are
    taken for a sample of whole days. They say nothing of how well a sensor measures. `per` is what
    it was divided by. `why` may also say what was left out of a value that is ok.
    """

    definition: Definition
    period: Period
    status: Literal["ok", "not enough data", "contradictory data"]
    value: float | None = None
    why: Message | None = None
    coverage: float = 0.0
    standard_error: float | None = None
    interval: tuple[float, float] | None = None
    readings: int = 0
    first: int | None = None
    last: int | None = None
    things: tuple[Thing, ...] = ()
    per: Denominator | None = None
    provenance: Provenance


def sampling_error(
    above: np.ndarray[Any, Any], below: np.ndarray[Any, Any], coverage: float
) -> tuple[float, int] | None:
    """The standard error of Σ above / Σ below over days, and the days; None where (nearly) all was
    observed, there are fewer than five days, or they are all alike.

    The ratio estimator of a simple random sample without replacement (Cochran, Sampling Techniques,
    1977, eq. 6.13), with the share that was observed as the sampling fraction.
    """
    used = below > 0
    days = int(used.sum())
    if coverage >= _WHOLE or days < _FEWEST:
        return None
    over, under = above[used], below[used]
    rest = over - over.sum() / under.sum() * under
    spread = (1 - coverage) * days / (days - 1) * float(rest @ rest)
    if spread <= 0:
        return None
    return math.sqrt(spread) / float(under.sum()), days


def to_document(value: Value, language: str = "en", *, things: bool = False) -> dict[str, Any]:
    """The value as JSON has it; `things`: with the part of every thing."""
    one, origin = value.definition, value.provenance
    found: dict[str, Any] = {
        "id": one.id,
        "name": one.name[language],
        "theme": one.theme,
        "period": {
            "label": value.period.label,
            "start": to_iso(value.period.start),
            "end": to_iso(value.period.end),
            "zone": value.period.zone,
        },
        "status": value.status,
        "value": value.value,
        "unit": one.unit,
        "unitCode": one.unit_code,
        "direction": one.direction,
        "coverage": value.coverage,
        "least_coverage": one.least_coverage,
        "standard_error": value.standard_error,
        "interval": value.interval,
        "interval_level": None if value.interval is None else LEVEL,
        "things": len(value.things),
        "readings": value.readings,
        "first_reading": None if value.first is None else to_iso(value.first),
        "last_reading": None if value.last is None else to_iso(value.last),
        "provenance": {
            "table": origin.table,
            "version": origin.version,
            "files": origin.files,
            "type": origin.type,
            "attribute": origin.attribute,
            "readings_from": to_iso(origin.since),
            "readings_before": to_iso(origin.before),
            "entities": [thing.id for thing in value.things[:_SHOWN]],
            "entities_in_all": len(value.things),
            "query": origin.query,
            "query_sha256": origin.digest,
        },
    }
    if value.why is not None:
        found |= {"why": str(value.why), "messages": {"why": value.why.document()}}
    if value.per is not None:
        found["per"] = msgspec.to_builtins(value.per)
    if things:
        found["by_thing"] = [msgspec.to_builtins(thing) for thing in value.things]
    return found
