"""How many people live in a city, as the reference tables have it."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from rynek.base.clock import MICRO
from rynek.indicators import References, Sources, inhabitants, parse_period

__all__ = ["people_of"]

_YEAR_S: Final = 31_556_952
_Known = dict[tuple[Any, ...], float | None]
# By the tables' versions: a table of all municipalities takes long to read.
_known: WeakKeyDictionary[References, _Known] = WeakKeyDictionary()


def people_of(references: References, tenant: Any) -> float | None:
    """The people of a tenant's city; None where `known_as` is not set or no table knows it. Reads
    files: not for the event loop."""
    names = tuple(tenant.city.known_as)
    if not names:
        return None
    year = 1970 + tenant.clock.now() // MICRO // _YEAR_S
    tables = tuple((one.id, one.version) for one in references.newest())
    kept = _known.setdefault(references, {})
    key = (names, year, tables)
    if key not in kept:
        if len(kept) > 1_000:
            kept.clear()
        period = parse_period(str(year), tenant.city.zone)
        found = inhabitants(period, Sources(references, names))
        kept[key] = None if found is None else found.amount
    return kept[key]
