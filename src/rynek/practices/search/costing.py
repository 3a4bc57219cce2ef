"""What cards are searched by when costs are asked for: each cost in its own currency, and at
purchasing power where tables of prices say how."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Final

import msgspec

from rynek.base.sqlite import Connection
from rynek.indicators import References
from rynek.practices.cards import Card, Compared, Prices, compare_cost, read_prices

__all__ = ["KINDS", "PPS", "Priced", "Rates", "index_costs", "price_tables", "priced", "units"]

PPS: Final = "PPS"
"""The unit of costs in euros at the price level of the EU, in prices of one year."""
KINDS: Final = ("capital", "running", "per_unit")
_MONTHS: Final = 12


class Priced(msgspec.Struct, frozen=True):
    """A cost from `low` to `high` of a `unit` (PPS, or a currency of ISO 4217 as the card has it);
    of running costs what a year costs."""

    kind: str
    unit: str
    low: float
    high: float


class Rates(msgspec.Struct, frozen=True):
    """What is known of prices; `key` says of which state of the tables ("" without)."""

    key: str = ""
    prices: Prices | None = None


def price_tables(references: References) -> Callable[[], Rates]:
    """The tables of prices as they are when asked for."""

    known: list[Rates] = [Rates()]

    def read() -> Rates:
        prices = read_prices(references)
        # It is one object for as long as the tables are the same.
        if prices is not known[0].prices:
            told = repr(prices)
            known[0] = Rates(hashlib.sha256(told.encode()).hexdigest() if prices else "", prices)
        return known[0]

    return read


def priced(card: Card, rates: Rates, today: date) -> tuple[Priced, ...]:
    """The costs of a card, in every unit that they can be told in."""
    country = card.city.country if card.city else ""
    found = []
    for cost in card.costs:
        times = _MONTHS if cost.kind == "running" and cost.period == "month" else 1
        high = cost.amount if cost.up_to is None else cost.up_to
        found.append(Priced(cost.kind, cost.currency, times * cost.amount, times * high))
        compared = None
        if rates.prices is not None:
            compared = compare_cost(cost, country, rates.prices, today)
        if isinstance(compared, Compared):
            low = compared.amount
            high = low if compared.up_to is None else compared.up_to
            found.append(Priced(cost.kind, PPS, times * low, times * high))
    return tuple(found)


def index_costs(database: Connection, row: int, costs: Iterable[Priced]) -> None:
    """Put the costs of an entry in place of those that it had; the caller's transaction."""
    database.execute("DELETE FROM cost WHERE row = ?", (row,))
    database.executemany(
        "INSERT INTO cost VALUES(?, ?, ?, ?, ?)",
        [(row, one.kind, one.unit, one.low, one.high) for one in costs],
    )


def units(database: Connection, where: str, values: Iterable[Any]) -> list[str]:
    """The units that costs of visible entries are told in: PPS first."""
    rows = database.execute(
        "SELECT DISTINCT cost.unit FROM entry CROSS JOIN cost ON cost.row = entry.row"
        f" WHERE {where}",
        tuple(values),
    ).fetchall()
    return sorted((str(row[0]) for row in rows), key=lambda one: (one != PPS, one))
