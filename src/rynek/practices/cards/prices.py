"""Costs of different countries and years, brought to one level of prices.

    compared = amount · HICP(country, Y) / HICP(country, year) / PPP(country, Y)

first to prices of the year Y by the country's own consumer prices, then to euros at the price level
of the EU by its purchasing power parity (national currency for what costs a euro in the EU: Eurostat
and OECD, Methodological Manual on Purchasing Power Parities). Exchange rates are nowhere in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from babel.numbers import get_territory_currencies

from rynek.base.clock import MICRO
from rynek.base.messages import Message
from rynek.indicators import References
from rynek.practices.cards.model import Card, Cost
from rynek.practices.saying import say

__all__ = [
    "Compared",
    "Prices",
    "compare",
    "compared_costs",
    "compared_document",
    "read_prices",
]

_PARITIES: Final = "eurostat-prc-ppp-ind"
_LEVELS: Final = "eurostat-prc-hicp-aind"
# Eurostat's codes of countries where they are not those of ISO 3166-1.
_CODES: Final = {"GR": "EL", "GB": "UK"}
# Changes to the euro that Babel's data do not have yet (Bulgaria: 1 January 2026).
_EURO_SINCE: Final = {"BG": 2026}
_Years = Mapping[int, float]


class Prices(NamedTuple):
    """National currency per euro at the EU's prices, consumer prices, both by Eurostat's code and
    year; and the year whose prices are compared: the newest of which half of both is known."""

    parity: Mapping[str, _Years]
    level: Mapping[str, _Years]
    year: int


class Compared(NamedTuple):
    """A cost in euros at the price level of the EU, in prices of `year`."""

    amount: float
    up_to: float | None
    year: int


_read: WeakKeyDictionary[References, tuple[Any, Prices | None]] = WeakKeyDictionary()


def read_prices(references: References) -> Prices | None:
    """What the imported tables say of prices; None where one of the two was not imported."""
    versions = {one.id: one.version for one in references.newest()}
    key = (versions.get(_PARITIES), versions.get(_LEVELS))
    known = _read.get(references)
    if known is None or known[0] != key:
        known = (key, None if None in key else _prices(references))
        _read[references] = known
    return known[1]


def _prices(references: References) -> Prices | None:
    parity, level = (_by_country(references, name) for name in (_PARITIES, _LEVELS))
    year = min(_newest(parity), _newest(level))
    return Prices(parity, level, year) if year else None


def _by_country(references: References, name: str) -> dict[str, _Years]:
    table = references.find(name)[1]
    return {
        key: {
            int(year): float(cells[row])
            for year, cells in table.columns.items()
            if year.isdecimal() and len(year) < 10 and cells[row]
        }
        for row, key in enumerate(table.keys)
    }


def _newest(table: Mapping[str, _Years]) -> int:
    """The newest year that at least half of those that were ever known have; 0 without one."""
    known = [years for years in table.values() if years]
    for year in sorted({one for years in known for one in years}, reverse=True):
        if 2 * sum(year in years for years in known) >= len(known):
            return year
    return 0


def compared_costs(card: Card, references: References, now: int) -> list[Compared | Message] | None:
    """Each cost of a card, or why it cannot be compared; None without tables of prices. `now` is in
    epoch microseconds. Reads files: not for an event loop."""
    prices = read_prices(references) if card.costs else None
    if prices is None:
        return None
    country = card.city.country if card.city else ""
    today = datetime.fromtimestamp(now / MICRO, UTC).date()
    return [compare(each, country, prices, today) for each in card.costs]


def compared_document(one: Compared | Message) -> dict[str, Any]:
    """A compared cost, or why there is none, as JSON has it."""
    if isinstance(one, Compared):
        return {"amount": one.amount, "up_to": one.up_to, "currency": "EUR (PPS)", "year": one.year}
    return {"reason": str(one), "message": one.document()}


def compare(cost: Cost, country: str, prices: Prices, today: date) -> Compared | Message:
    """A cost of a country (ISO 3166-1) in euros at the EU's prices, or why there is none."""
    if not country:
        return say("cost-country")
    if _currencies(country, cost.year, today) != {cost.currency}:
        told = {"currency": cost.currency, "country": country, "year": str(cost.year)}
        return say("cost-currency", **told)
    code = _CODES.get(country, country)
    parity = prices.parity.get(code, {}).get(prices.year)
    if parity is None:
        return say("cost-parity", year=str(prices.year), country=country)
    levels = prices.level.get(code, {})
    for year in (cost.year, prices.year):
        if year not in levels:
            return say("cost-prices", year=str(year), country=country)
    factor = levels[prices.year] / levels[cost.year] / parity
    return Compared(
        cost.amount * factor, None if cost.up_to is None else cost.up_to * factor, prices.year
    )


def _currencies(country: str, year: int, today: date) -> set[str]:
    """The currencies that were legal tender from a year until today: parities are in today's."""
    first = date(min(year, today.year), 1, 1)
    found = set(get_territory_currencies(country, first, today))
    if today.year >= _EURO_SINCE.get(country, today.year + 1):
        found.add("EUR")
    return found
