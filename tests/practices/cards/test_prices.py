"""Costs of other countries and years at one level of prices, by tables in Eurostat's layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.practices.cards.support import card

from rynek.base.errors import BadRequestData
from rynek.base.messages import Message
from rynek.indicators import References, load_definition, open_indicators
from rynek.practices.cards import (
    EVERYBODY,
    Cards,
    Compared,
    compared_costs,
    compared_document,
)
from rynek.practices.search import Filters, SearchIndex, price_tables

# Made up, in the layout of the API's TSV (flags, no value, several series, aggregates).
PARITIES = (
    "freq,na_item,ppp_cat,geo\\TIME_PERIOD\t2021 \t2022 \t2023 \t2024 \n"
    "A,PPP_EU27_2020,GDP,CZ\t18.0 \t19.0 \t20.0 p\t: \n"
    "A,PPP_EU27_2020,GDP,EL\t0.8 \t0.8 \t0.8 \t: \n"
    "A,PPP_EU27_2020,GDP,BG\t0.8 \t0.9 \t1.0 \t1.1 \n"
    "A,PPP_EU27_2020,GDP,EU27_2020\t1.0 \t1.0 \t1.0 \t: \n"
    "A,PPP_EU27_2020,GDP,UK\t: \t: \t: \t: \n"
    "A,PLI_EU27_2020,GDP,CZ\t70 \t75 \t80 \t: \n"
)
LEVELS = (
    "freq,unit,coicop,geo\\TIME_PERIOD\t2020 \t2021 \t2023 \t2024 \n"
    "A,INX_A_AVG,CP00,CZ\t100.0 \t110.0 \t132.0 \t140.0 \n"
    "A,INX_A_AVG,CP00,EL\t100.0 \t100.0 \t120.0 \t125.0 \n"
    "A,INX_A_AVG,CP00,BG\t100.0 \t100.0 \t120.0 \t125.0 \n"
    "A,RCH_A_AVG,CP00,CZ\t1 \t10 \t10 \t6 \n"
)
NOW = 1_767_000_000_000_000  # in December 2025
LATER = NOW + 60 * 86_400_000_000


@pytest.fixture
def references(tmp_path: Path) -> Iterator[References]:
    folder = tmp_path / "data"
    folder.mkdir()
    database = open_indicators(folder)
    yield References(database)
    database.close()


def imported(references: References, folder: Path) -> None:
    for name, text in (("eurostat-prc-ppp-ind", PARITIES), ("eurostat-prc-hicp-aind", LEVELS)):
        file = folder / f"{name}.tsv"
        file.write_text(text)
        references.import_file(load_definition(name), file)


def told(references: References, country: str, now: int = NOW, **cost: Any) -> Compared | Message:
    whole = {"kind": "capital", "what": {"en": "Bins"}, "amount": 2200.0, "year": 2021} | cost
    city = {"name": {"en": "Town"}, "country": country}
    found = compared_costs(card(costs=[whole], city=city), references, now)
    assert found is not None
    return found[0]


def test_without_both_tables_nothing_is_compared(references: References, tmp_path: Path) -> None:
    assert compared_costs(card(), references, NOW) is None
    file = tmp_path / "ppp.tsv"
    file.write_text(PARITIES)
    references.import_file(load_definition("eurostat-prc-ppp-ind"), file)
    assert compared_costs(card(), references, NOW) is None
    imported(references, tmp_path)
    assert compared_costs(card(), references, NOW) is not None


def test_a_cost_is_brought_to_one_year_and_to_the_price_level_of_the_union(
    references: References, tmp_path: Path
) -> None:
    imported(references, tmp_path)
    # 2023 is the newest year that half of the countries have: 2200 · 132 / 110 / 20.
    found = told(references, "CZ", currency="CZK", up_to=4400.0)
    assert isinstance(found, Compared)
    assert found.amount == pytest.approx(132.0)
    assert found.up_to == pytest.approx(264.0)
    assert compared_document(found)["year"] == 2023
    greek = told(references, "GR", currency="EUR")
    assert isinstance(greek, Compared)
    assert greek.amount == pytest.approx(2200 * 1.2 / 0.8)
    saving = told(references, "CZ", currency="CZK", amount=-110.0)
    assert isinstance(saving, Compared)
    assert saving.amount == pytest.approx(-6.6)


@pytest.mark.parametrize(
    ("country", "cost", "words"),
    [
        ("CZ", {"currency": "EUR"}, "EUR was not the only currency of CZ from 2021 until today"),
        ("HR", {"currency": "HRK"}, "HRK was not the only currency of HR from 2021"),
        ("CZ", {"currency": "CZK", "year": 2022}, "no index of consumer prices of 2022 for CZ"),
        ("GB", {"currency": "GBP"}, "no purchasing power parity of 2023 for GB"),
        ("US", {"currency": "USD"}, "no purchasing power parity of 2023 for US"),
    ],
)
def test_what_cannot_be_compared_says_why(
    references: References, tmp_path: Path, country: str, cost: dict[str, Any], words: str
) -> None:
    imported(references, tmp_path)
    found = told(references, country, **cost)
    assert isinstance(found, Message)
    assert words in str(found)
    assert compared_document(found)["message"]["id"] == found.id


def test_parities_are_in_the_currency_of_today(references: References, tmp_path: Path) -> None:
    imported(references, tmp_path)
    assert isinstance(told(references, "BG", currency="BGN"), Compared)
    assert isinstance(told(references, "BG", currency="BGN", now=LATER), Message)


def test_a_table_of_another_series_is_refused(references: References, tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_text(LEVELS)
    with pytest.raises(BadRequestData, match="has no dimension"):
        references.import_file(load_definition("eurostat-prc-ppp-ind"), file)


def test_a_search_finds_costs_in_their_currency_and_at_purchasing_power(
    references: References, tmp_path: Path
) -> None:
    cards = Cards(tmp_path / "practices.db")
    index = SearchIndex(tmp_path / "search.db", price_tables(references))
    city = {"name": {"en": "Town"}, "country": "CZ"}
    cost = {"what": {"en": "Bins"}, "currency": "CZK", "year": 2021}
    costs = [
        {**cost, "kind": "capital", "amount": 2200.0, "up_to": 4400.0},
        {**cost, "kind": "running", "amount": 100.0, "period": "month"},
    ]
    cards.add("bins", card(costs=costs, city=city), owner="", door="public")

    def total(**filters: Any) -> int:
        return index.ask(cards, "", EVERYBODY, Filters(**filters))[0].total

    assert index.units(EVERYBODY) == []
    assert total() == 1
    assert index.units(EVERYBODY) == ["CZK"]
    assert total(cost_from=4000, cost_in="CZK") == 1
    assert total(cost_from=4401, cost_in="CZK") == 0
    assert total(cost_to=1199, cost_in="CZK") == 0
    # A year of a hundred crowns a month.
    assert total(cost_to=1200, cost_kind="running", cost_in="CZK") == 1
    assert total(cost_to=2000, cost_kind="capital", cost_in="CZK") == 0
    assert total(cost_from=1) == 0
    imported(references, tmp_path)
    # The cards stay as they are: 2200 crowns of 2021 are 2200 · 132/110 / 20 = 132 euros of 2023.
    assert total(cost_from=131, cost_to=133) == 1
    assert total(cost_to=70, cost_kind="capital") == 0
    assert index.units(EVERYBODY) == ["PPS", "CZK"]
    with pytest.raises(BadRequestData, match="cost_kind: one of capital"):
        total(cost_kind="free")
    index.close()
    cards.close()
