"""One scan of a type's readings for all that is summed up of some days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from rynek.context import DEFAULT_VOCAB
from rynek.history import Record, Selection
from rynek.indicators.kpi import states
from rynek.indicators.kpi.families import Family
from rynek.indicators.kpi.pairs import PAIRS
from rynek.indicators.kpi.readings import Readings, coded, pair
from rynek.indicators.kpi.sightings import sighted
from rynek.indicators.kpi.states import Variant
from rynek.indicators.kpi.summing import (
    ends_of,
    gaps_of,
    inner_of,
    long_gaps_of,
    shorts_of,
    sighted_of,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

__all__ = ["Day", "Scanned", "attribute_iri", "day_statements", "scanned"]

_PAIRS: Final = "pairs"
Scanned = dict[Family, dict[str, Any]]
Expression = Callable[[], "ir.Table"]


class Day(NamedTuple):
    """[start, end) in epoch µs."""

    start: int
    end: int


def attribute_iri(family: Family) -> str:
    """The attribute as the history has it."""
    return DEFAULT_VOCAB + family.attribute


def scanned(
    record: Record, families: Sequence[Family], days: Sequence[Day], zone: str
) -> tuple[int, Scanned]:
    """The sums of days side by side, of families of one type: for each its tables by name; and the
    readings that there were."""
    whole = any(not one.attribute for one in families)
    select = Selection(
        types=(DEFAULT_VOCAB + families[0].type,),
        attrs=() if whole else ("", *(attribute_iri(one) for one in families)),
        start=days[0].start,
        end=days[-1].end,
        deleted=True,
    )
    found = pair(coded(record.bulk(select), [one.start for one in days]))
    return len(found), {
        one: _states(one, found, zone) if one.attribute else _sightings(found) for one in families
    }


def _states(family: Family, found: Readings, zone: str) -> dict[str, pa.Table]:
    rows = _of_attribute(found, attribute_iri(family))
    told = {"ends": ends_of(rows)}
    for number, variant in enumerate(family.variants):
        told[f"inner{number}"] = inner_of(rows, variant, zone)
        if variant.follow:
            told[f"long{number}"] = long_gaps_of(rows, variant)
            told[f"gaps{number}"] = gaps_of(rows, variant)
            told[f"shorts{number}"] = shorts_of(rows, variant)
    return told


def _of_attribute(found: Readings, attribute: str) -> Readings:
    """The readings of an attribute without a data set, with the marks of things that are gone."""
    attr, dataset = (
        found.names[name].index(text).as_py()
        for name, text in (("attr", attribute), ("dataset_id", ""))
    )
    low, high = np.searchsorted(found.attr, (attr, attr + 1)) if attr >= 0 else (0, 0)
    first, last = low + np.searchsorted(found.dataset[low:high], (dataset, dataset + 1))
    marks = _marks(found)
    if not marks:
        return found.part(slice(first, last))
    places = np.concatenate([np.arange(marks), np.arange(first, last)])
    return pair(found.part(places), by_thing=True)


def _marks(found: Readings) -> int:
    """How many marks of things that are gone there are: they come first."""
    if not len(found.names["attr"]) or found.names["attr"][0].as_py():
        return 0
    return int(np.searchsorted(found.attr, 1))


def _sightings(found: Readings) -> dict[str, pa.Table]:
    import pyarrow as pa

    marks = _marks(found)
    rows = found.part(slice(marks, None))
    if rows.observed is not None:
        rows = pair(rows.part(np.flatnonzero(rows.observed)))
    gone = found.part(slice(0, marks))
    names = pa.DictionaryArray.from_arrays(pa.array(gone.thing), found.names["entity_id"])
    return {
        "sighted": sighted_of(rows),
        "marks": pa.table({"entity_id": names, "day": gone.day, "us": gone.us}),
    }


def _expressions(family: Family) -> dict[str, tuple[Any, Expression]]:
    """The tables of days of a family, by name."""
    made: dict[str, tuple[Any, Expression]] = {"ends": (("ends",), lambda: states.ends(_pairs()))}
    for number, variant in enumerate(family.variants):
        made[f"inner{number}"] = _one("inner", states.inner, variant)
        if variant.follow:
            held = msgspec.structs.replace(variant, bucket="", asked=())
            made[f"long{number}"] = _one("long", states.long_gaps, held)
            made[f"gaps{number}"] = _one("gaps", states.gaps, held)
            made[f"shorts{number}"] = _one("shorts", states.shorts, held)
    return made


def _one(
    name: str, expression: Callable[[ir.Table, Variant], ir.Table], variant: Variant
) -> tuple[Any, Expression]:
    return (name, variant), lambda: expression(_pairs(), variant)


def _pairs() -> ir.Table:
    import ibis

    return ibis.table(PAIRS, name=_PAIRS)


def day_statements(record: Record, family: Family, variant: int) -> list[str]:
    """The SQL that sums up days for a variant of a family."""
    if not family.attribute:
        return [record.statement(("sighted",), lambda: sighted(_pairs()))]
    names = ("ends", *(f"{name}{variant}" for name in ("inner", "long", "gaps", "shorts")))
    made = _expressions(family)
    return [record.statement(*made[name]) for name in names if name in made]
