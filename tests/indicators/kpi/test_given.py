"""What no reading gives: reference tables, surveys, and what is divided by inhabitants or area."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.history.support import HOUR, ListLog, change, number
from tests.indicators.kpi.support import FAR, made_history
from tests.recorded import needed

import rynek.demo
from rynek.base.clock import Clock, parse_iso
from rynek.base.errors import BadRequestData
from rynek.history import History, Record
from rynek.indicators import (
    References,
    Respondent,
    Sources,
    Surveys,
    Value,
    compute_indicators,
    find_definition,
    load_definition,
    open_indicators,
    parse_period,
    read_survey,
    write_template,
)
from rynek.indicators.definition import parse_definition

KYIV = "Europe/Kyiv"


def given(sources: Sources, name: str, period: str = "2023", zone: str = KYIV) -> Value:
    (value,) = compute_indicators(
        None, [find_definition(name)], parse_period(period, zone), FAR, sources
    )
    return value


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> References:
    found = References(open_indicators(tmp_path_factory.mktemp("given")))
    for name, file in (
        ("ua-hromadas", "indicators/ukraine_hromadas_full_dataset.csv.gz"),
        ("eurostat-urb-cpop1", "indicators/eurostat_urb_cpop1.csv"),
        ("eurostat-urb-ctran", "indicators/eurostat_urb_ctran.csv"),
    ):
        found.import_file(load_definition(name), needed(file))
    return found


def test_figures_of_a_hromada(references: References) -> None:
    kept, table = references.find("ua-hromadas")
    row = next(
        n for n, income in enumerate(table.columns["income_own_2022"])
        if income and table.columns["e_petitions"][n] and table.columns["turnout_2020"][n]
    )  # fmt: skip
    cell = {name: values[row] for name, values in table.columns.items()}
    key = table.keys[row]
    sources = Sources(references, (key,))

    own = given(sources, "own-income-share")
    assert own.value == pytest.approx(100 * cell["income_own_2022"] / cell["income_total_2022"])
    assert (own.status, own.coverage, own.period.label) == ("ok", 1.0, "2022")
    assert own.provenance.table == "reference/ua-hromadas"
    assert own.provenance.version == kept.version
    # Of 2021 where 2022 has not come yet; before that nobody knows.
    before = given(sources, "own-income-share", "2021")
    assert before.value == pytest.approx(100 * cell["income_own_2021"] / cell["income_total_2021"])
    assert given(sources, "own-income-share", "2020").status == "not enough data"
    transfers = given(sources, "transfers-share").value
    assert transfers is not None
    assert own.value is not None
    assert own.value + transfers == pytest.approx(100)
    per_head = given(sources, "own-income-per-head").value
    assert per_head == pytest.approx(1000 * cell["income_own_2022"] / cell["population_2022"])
    tools = ("e_petitions", "e_consultations", "e_participatory_budget", "e_open_hromada")
    assert given(sources, "e-democracy-tools").value == sum(cell[name] for name in tools)
    assert given(sources, "turnout-local").value == pytest.approx(100 * cell["turnout_2020"])
    assert given(sources, "turnout-local", "2031").status == "not enough data"


def test_occupied_hromadas_have_no_budget(references: References) -> None:
    _, table = references.find("ua-hromadas")
    key = table.keys[table.columns["income_total_2022"].index(None)]
    one = given(Sources(references, (key,)), "own-income-share")
    assert (one.status, one.value) == ("not enough data", None)
    assert f"nothing for {key} in income_own_2022, income_total_2022" in str(one.why)


def test_an_unknown_city_and_no_table(references: References) -> None:
    one = given(Sources(references, ("Atlantis",)), "bike-to-work")
    assert one.value is None
    assert str(one.why) == "the table eurostat-urb-ctran does not know the city under Atlantis"
    none = given(Sources(), "bike-to-work")
    assert str(none.why) == "no reference table that it is taken from was imported"


def test_journeys_to_work_by_bicycle(references: References) -> None:
    """The newest year with a figure, and none that is over ten years old."""
    sources = Sources(references, ("Sofia",))
    one = given(sources, "bike-to-work", "2017")
    assert (one.value, one.period.label) == (12.0, "2011")
    assert given(sources, "bike-to-work", "2009").value == 9.0
    assert "at most 10 years" in str(given(sources, "bike-to-work", "2022").why)


def test_population_density_and_growth_come_from_any_table_that_means_them(
    references: References, tmp_path: Path
) -> None:
    sources = Sources(references, ("Sofia",))
    people = given(sources, "population", "2030")
    assert (people.value, people.period.label) == (1_231_981, "2016")
    assert given(sources, "population", "2015").value == 1_228_282
    growth = given(sources, "population-growth", "2017")
    # From 2011 to 2016 in one table.
    assert growth.value == pytest.approx(100 * ((1_231_981 / 1_202_921) ** (1 / 5) - 1))
    assert growth.provenance.attribute == "2016, 2011"
    # The newest figure lacks a year five before it in 2011: 2008 to 2011 are three.
    early = given(sources, "population-growth", "2011")
    assert (early.status, early.value) == ("not enough data", None)
    assert "5 years before the newest" in str(early.why)
    assert given(sources, "population", "2037").status == "not enough data"
    without = given(sources, "population-density")
    assert "area" in str(without.why)
    own = References(open_indicators(tmp_path))
    demo = Path(rynek.demo.__file__).parent / "reference"
    for definition, file in (
        ("eurostat-urb-cpop1", "eurostat_urb_cpop1.csv"),
        (str(demo / "demo-cities.toml"), "cities.csv"),
    ):
        own.import_file(load_definition(definition), demo / file)
    dense = given(Sources(own, ("Kraków",)), "population-density", "2024")
    assert dense.value == pytest.approx(761_873 / 326.85)
    assert dense.period.label == "2014"
    assert dense.provenance.attribute == "2014, area"


def test_bikes_per_inhabitant(references: References, tmp_path: Path) -> None:
    """Three stations with 10, 20 and 30 bikes in a city of 1,231,981 (Eurostat, 2016)."""
    start = parse_iso("2018-03-01T00:00:00Z")

    async def fill(_: History, log: ListLog) -> None:
        for hour in range(25):
            for station in (1, 2, 3):
                at = start + hour * HOUR
                own = f"urn:ngsi-ld:BikeHireDockingStation:x:{station}"
                attrs: Any = {"availableBikeNumber": number(10 * station, at)}
                log.write(change("update", own, attrs, at=at, kind="BikeHireDockingStation"))

    history = made_history(tmp_path / "h", "UTC", fill)
    wanted = [find_definition(name) for name in ("bikes-per-100000", "bike-stations-per-km2")]
    with Record(history) as record:
        _, hromadas = references.find("ua-hromadas")
        for names in (("Sofia",), (hromadas.keys[0],), ()):
            found = {
                one.definition.id: one
                for one in compute_indicators(
                    record,
                    wanted,
                    parse_period("2018-03-01", "UTC"),
                    FAR,
                    Sources(references, names),
                )
            }
            bikes, stations = found["bikes-per-100000"], found["bike-stations-per-km2"]
            if names and names[0].startswith("UA"):
                # Its population is of 2022, and nobody knows that of 2018.
                assert str(bikes.why).startswith("no reference table with the population of UA")
                assert stations.value == pytest.approx(3 / hromadas.columns["area"][0])
                continue
            if not names:
                assert "known_as in city.toml" in str(bikes.why)
                assert str(stations.why) == str(bikes.why)
                continue
            assert str(stations.why).startswith("no reference table with the area of")
            assert bikes.value == pytest.approx(60 * 100_000 / 1_231_981)
            assert bikes.per is not None
            assert (bikes.per.year, bikes.per.table) == (2016, "eurostat-urb-cpop1")
            assert len(bikes.things) == 3


class Hand(Clock):
    at = parse_iso("2026-01-10T00:00:00Z")

    def now(self) -> int:
        return self.at


def test_what_was_asked(tmp_path: Path) -> None:
    """100 cities are asked and 60 answer: 40 of 50 in the north, of which 30 have a strategy, and
    20 of 50 in the south, all of which have. Each answer stands for those of its region: 0.875,
    which the public results tell in whole per cent, and the effect of the design (1.125) in three
    digits."""
    surveys = Surveys(tmp_path, Hand())
    write_template(tmp_path / "strategy.xlsx")
    surveys.put(read_survey(tmp_path / "strategy.xlsx"))
    sources = Sources(surveys=surveys)
    deadline = parse_iso("2026-02-01T00:00:00Z")
    surveys.publish("smart-strategy", deadline)
    assert str(given(sources, "strategy-adopted", "2026").why).startswith("no public results")
    surveys.publish("smart-strategy", deadline, results="public")
    people = [Respondent(f"c{n}", f"City {n}", "north" if n < 50 else "south") for n in range(100)]
    tokens = list(surveys.invite("smart-strategy", people).items())
    early = given(sources, "strategy-adopted", "2026")
    assert (early.status, early.value) == ("not enough data", None)
    assert "answered, 30% is needed" in str(early.why)
    for own, token in tokens:
        number = int(own[1:])
        if number < 40 or number >= 80:
            answers = {
                "size": "s2", "role": "mayor", "has_strategy": "prepared" if number < 10 else "adopted",
                "strategy_year": "2020", "goals": "all", "owner": "person", "budget": "no",
                "data_use": "weekly", "open_data": "yes" if number == 5 else "no",
                "online_share": str(number % 2 * 100), "needs": "funding", "sharing": "no",
                "first": "air", "then": "waste",
            }  # fmt: skip
            surveys.save(token, answers, revision=0, language="en", submit=True)

    one = given(sources, "strategy-adopted", "2026")
    assert (one.status, one.readings, one.things) == ("ok", 60, ())
    assert one.value == pytest.approx(88)
    assert one.coverage == pytest.approx(0.6)
    effect = float(f"{60 * (40 * 1.25**2 + 20 * 2.5**2) / 100**2:.3g}")
    error = 100 * (0.88 * 0.12 * 0.4 * effect / 59) ** 0.5
    assert one.standard_error == pytest.approx(error)
    assert one.interval == pytest.approx((88 - 1.959964 * error, 88 + 1.959964 * error))
    assert one.provenance.table == "survey/smart-strategy"
    assert given(sources, "services-online", "2026").value == pytest.approx(50)
    # One city alone publishes open data: who it is would follow, so nobody is told.
    hidden = given(sources, "open-data-published", "2026")
    assert (hidden.value, str(hidden.why)) == (None, "fewer than 5 chose it: hidden")
    # A year in which nothing had been asked yet.
    assert given(sources, "strategy-adopted", "2025").value is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("thme = 1", "did you mean `theme`?"),
        ("a.b" + ".c" * 80 + " = 1", "a key has over 64 parts"),
        ('theme = "x"\nsource = "asked"', "missing required field"),
    ],
)
def test_a_wrong_definition_is_told(text: str, words: str) -> None:
    with pytest.raises(BadRequestData, match="the indicator wrong") as refused:
        parse_definition("wrong", text)
    assert words in str(refused.value)
