"""The 1,469 hromadas, with every trap of their table, from the source to the index that ships."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.recorded import needed

from rynek.base.errors import BadRequestData
from rynek.indicators import (
    document,
    evaluate_index,
    load_definition,
    load_specification,
    to_csv,
)
from rynek.indicators.index.published import EXAMPLE
from rynek.indicators.reference.importing import Imported, read_source

SOURCE = "indicators/ukraine_hromadas_full_dataset.csv.gz"


@pytest.fixture(scope="module")
def table() -> Imported:
    return read_source(load_definition("ua-hromadas"), needed(SOURCE))


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress((EXAMPLE / "result.json.gz").read_bytes()))
    return found


def test_the_shipped_table_is_what_the_import_gives(table: Imported) -> None:
    text = gzip.decompress((EXAMPLE / "hromadas.csv.gz").read_bytes()).decode()
    assert text == to_csv("hromada_code", table)


def test_nothing_of_a_head_and_nothing_corrupt_is_taken(table: Imported) -> None:
    source = load_definition("ua-hromadas")
    assert {"sex_head", "age_head", "party", "own_income_prop_2021"} <= set(source.never)
    assert not {one.column for one in source.columns} & set(source.never)
    assert not any("head" in name or "_prop_" in name for name in table.columns)
    # What is taken instead: amounts, whose shares add up to one.
    own, transfers, total = (
        np.array([np.nan if one is None else one for one in table.columns[name]], dtype=float)
        for name in ("income_own_2021", "income_transfers_2021", "income_total_2021")
    )
    assert np.nanmax(np.abs((own + transfers) / total - 1)) < 1e-9


def test_flags_are_zero_where_the_source_says_na(table: Imported) -> None:
    assert sum(table.columns["at_the_sea"]) == 69
    assert None not in table.columns["mountain"]


def test_a_share_above_one_is_refused_with_its_cell(tmp_path: Path) -> None:
    """Declarations of residence over a population counted otherwise: 1.02 in Vinnytsia."""
    definition = tmp_path / "d.toml"
    definition.write_text(
        'id = "x"\ntitle = "x"\nkey = "hromada_code"\n[[columns]]\nname = "declared"\n'
        'column = "declarations_pct"\nminimum = 0\nmaximum = 1\n'
    )
    with pytest.raises(BadRequestData) as refused:
        read_source(load_definition(str(definition)), needed(SOURCE))
    assert "row 2 (UA05020030000031457), column 'declarations_pct' is 1.02074" in str(refused.value)


def test_a_corrupt_share_is_refused_by_an_index_too(tmp_path: Path) -> None:
    (tmp_path / "full.csv.gz").symlink_to(needed(SOURCE))
    (tmp_path / "i.toml").write_text(
        'name = "x"\n[table]\nfile = "full.csv.gz"\nunit = "hromada_code"\n'
        '[[indicators]]\nid = "own"\ncolumn = "own_income_prop_2021"\nunit = "share"\n'
    )
    with pytest.raises(BadRequestData, match=r"row 1 \(UA05020010000053508\).*is 2.9 share"):
        evaluate_index(load_specification(tmp_path / "i.toml"), tmp_path)


def test_the_occupied_are_left_out_and_nothing_is_made_up(shipped: dict[str, Any]) -> None:
    assert len(shipped["left_out"]) == 31
    assert {one["group"] for one in shipped["left_out"]} == {
        "UA14000000000091971",
        "UA44000000000018893",
    }
    assert all("occupied before 2022" in one["reason"]["en"] for one in shipped["left_out"])
    assert len(shipped["units"]) == 1438
    assert all(one["missing"] == 0 for one in shipped["indicators"])


def test_regions_are_joined_on_their_code(shipped: dict[str, Any]) -> None:
    names = {one["id"]: one["name"]["en"] for one in shipped["groups"]}
    assert len(names) == 24
    assert names["UA12000000000090473"] == "Dnipropetrovsk oblast"
    assert "UA80000000000093317" not in names  # the city of Kyiv is not in the table


def test_the_shipped_result_is_what_its_specification_gives(shipped: dict[str, Any]) -> None:
    """Scores and ranks exactly; intervals from fewer variants, so nearly."""
    spec = load_specification(EXAMPLE / "index.toml")
    assert spec.runs == shipped["runs"] == 10_000
    import msgspec

    few = msgspec.structs.replace(
        spec, runs=600, sensitivity=msgspec.structs.replace(spec.sensitivity, samples=64)
    )
    found = document(evaluate_index(few, EXAMPLE))
    for kind in ("units", "groups"):
        for one, other in zip(found[kind], shipped[kind], strict=True):
            assert (one["id"], one["rank"]) == (other["id"], other["rank"])
            assert one["score"] == pytest.approx(other["score"], abs=1e-3)
    for one, other in zip(found["groups"], shipped["groups"], strict=True):
        assert np.allclose(one["rank_interval"], other["rank_interval"], atol=2.5)
        share = other["share_of_variants_first"]
        assert one["share_of_variants_first"] == pytest.approx(share, abs=0.06)
    assert found["audit"] == shipped["audit"]
    assert found["leading"]["groups"]["leader"] == shipped["leading"]["groups"]["leader"]


def test_the_index_does_not_say_smart(shipped: dict[str, Any]) -> None:
    assert "smart" not in shipped["name"]["en"].lower()
    assert shipped["leading"]["groups"]["told_apart"] is False


@pytest.mark.parametrize(
    ("name", "file", "rows", "city", "year", "value"),
    [
        ("eurostat-urb-cpop1", "eurostat_urb_cpop1.csv", 1033, "Antwerpen", "2016", 517731),
        ("eurostat-urb-ctran", "eurostat_urb_ctran.csv", 1027, "Brugge", "2011", 24.71),
    ],
)
def test_eurostat_sheets_are_read(
    name: str, file: str, rows: int, city: str, year: str, value: float
) -> None:
    found = read_source(load_definition(name), needed(f"indicators/{file}"))
    assert len(found.keys) == rows
    assert found.columns[year][found.keys.index(city)] == value
    assert found.told["Source of data"] == "Eurostat"
    assert "stands in rows" in found.left_out["Madrid"]
    assert "Madrid" not in found.keys
    lines = list(csv.reader(io.StringIO(to_csv("city", found))))
    assert len(lines) == rows + 1
