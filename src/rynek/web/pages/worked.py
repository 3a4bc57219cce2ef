"""A worked example for a city: a question of its own history that its record can answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

from rynek.context import DEFAULT_VOCAB
from rynek.history import AggregateQuery, Selection
from rynek.web.pages.offered import Offered
from rynek.web.pages.shell import Page

__all__ = ["example", "may_have"]

_FEWEST, _MOST, _DONORS = 8, 40, 24
_MONTHS: Final = 24
_SPARSE: Final = 4
_Month = tuple[int, int]


def may_have(offer: Offered) -> bool:
    """Whether it is worth looking for an example, from what is known without reading history."""
    known = offer.kind in offer.attributes and not offer.moves
    return known and len(offer.places) >= _FEWEST


async def example(page: Page, offer: Offered, *, plan: bool) -> str:
    """The address of a question that this city's record answers: the newest months in which at
    least eight places by name were read without a gap. Empty where there are none."""
    if not may_have(offer) or offer.last is None:
        return ""
    attributes = offer.attributes[offer.kind]
    counts = await _counts(page, offer, attributes[0][0])
    places, months = _whole(counts, [key for key, _ in offer.places])
    if not months:
        return ""
    often = median(counts[place][month] for place in places for month in months)
    every = "month" if often <= _SPARSE else "week" if len(months) > 6 else "day"
    if every == "month" and len(months) < 12:
        return ""
    first, last = date(*months[0], 1), min(_after(months[-1]), offer.last)
    asked: dict[str, Any] = {
        "type": offer.kind,
        "attribute": attributes[0][0],
        "first": first,
        "last": last,
        "every": every,
    }
    if plan:
        asked |= {"places": places[:_MOST], "pilot": len(places[:_MOST]) // 3, "periods": 4}
    else:
        start = date(*months[len(months) * 3 // 4], 1) if len(months) > 3 else _middle(first, last)
        asked |= {"treated": places[:1], "donors": places[1 : 1 + _DONORS], "start": start}
    return "?" + urlencode(asked, doseq=True)


async def _counts(page: Page, offer: Offered, attribute: str) -> dict[str, dict[_Month, int]]:
    """How many readings each listed place has in each month."""
    ids = tuple(key for key, _ in offer.places)
    select = Selection(attrs=(_iri(attribute),), types=(_iri(offer.kind),), entity_ids=ids)
    query = AggregateQuery(
        select=select, methods=("totalCount",), group=("entity_id",), bucket="P1M"
    )
    found: dict[str, dict[_Month, int]] = {}
    for row in (await page.tenant.history.aggregate(query)).to_pylist():
        at = datetime.fromtimestamp(row["start"] / 1e6, UTC) + timedelta(days=2)
        found.setdefault(row["entity_id"], {})[at.year, at.month] = row["totalCount"]
    return found


def _whole(
    counts: dict[str, dict[_Month, int]], places: Sequence[str]
) -> tuple[list[str], list[_Month]]:
    """The newest months, and the places with readings in each of them."""
    kept = [place for place in places if place in counts]
    every = sorted({month for place in kept for month in counts[place]}, reverse=True)
    months: list[_Month] = []
    for month in every[: 2 * _MONTHS]:
        left = [place for place in kept if counts[place].get(month)]
        if len(left) < _FEWEST or len(months) == _MONTHS:
            if months:
                break
            continue
        kept = left
        months.insert(0, month)
    return kept, months


def _after(month: _Month) -> date:
    return (date(*month, 1) + timedelta(days=32)).replace(day=1)


def _middle(first: date, last: date) -> date:
    return first + (last - first) * 2 // 3


def _iri(name: str) -> str:
    return name if ":" in name else DEFAULT_VOCAB + name
