"""Eurostat's tables of prices as its API gives them: TSV and SDMX-CSV, packed or not, hostile ones.

The layouts are those of the API (SDMX 2.1; `format=TSV` and `format=SDMX-CSV`). The figures are made
up: what is tested is the layout.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rynek.base.errors import BadRequestData
from rynek.indicators import References, load_definition, open_indicators

PARITIES = load_definition("eurostat-prc-ppp-ind")
LEVELS = load_definition("eurostat-prc-hicp-aind")
TSV = (
    "freq,na_item,ppp_cat,geo\\TIME_PERIOD\t2021 \t2022 \t2023 \n"
    "A,PLI_EU27_2020,GDP,BG\t55.1 \t58.2 \t60.4 p\n"
    "A,PPP_EU27_2020,A01,BG\t0.9 \t1.0 \t1.1 \n"
    "A,PPP_EU27_2020,GDP,BG\t0.8214 \t0.8731 b\t0.9055 p\n"
    "A,PPP_EU27_2020,GDP,CZ\t18.0211 \t: \t19.9004 p\n"
    "A,PPP_EU27_2020,GDP,EL\t: c\t: u\t0.8012 \n"
)
CSV = (
    "DATAFLOW,LAST UPDATE,freq,na_item,ppp_cat,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG,CONF_STATUS\r\n"
    "ESTAT:PRC_PPP_IND(1.0),18/12/24 11:00:00,A,PLI_EU27_2020,GDP,BG,2021,55.1,,\r\n"
    "ESTAT:PRC_PPP_IND(1.0),18/12/24 11:00:00,A,PPP_EU27_2020,A01,BG,2021,0.9,,\r\n"
    "ESTAT:PRC_PPP_IND(1.0),18/12/24 11:00:00,A,PPP_EU27_2020,GDP,BG,2021,0.8214,,\r\n"
    "ESTAT:PRC_PPP_IND(1.0),18/12/24 11:00:00,A,PPP_EU27_2020,GDP,BG,2022,0.8731,b,\r\n"
    "ESTAT:PRC_PPP_IND(1.0),18/12/24 11:00:00,A,PPP_EU27_2020,GDP,BG,2023,0.9055,p,\r\n"
    "ESTAT:PRC_PPP_IND(1.0),18/12/24 11:00:00,A,PPP_EU27_2020,GDP,CZ,2021,18.0211,,\r\n"
    "ESTAT:PRC_PPP_IND(1.0),18/12/24 11:00:00,A,PPP_EU27_2020,GDP,CZ,2023,19.9004,p,\r\n"
    "ESTAT:PRC_PPP_IND(1.0),18/12/24 11:00:00,A,PPP_EU27_2020,GDP,EL,2021,,,C\r\n"
    "ESTAT:PRC_PPP_IND(1.0),18/12/24 11:00:00,A,PPP_EU27_2020,GDP,EL,2023,0.8012,,\r\n"
)
# SDMX-CSV 2.0 begins otherwise.
SECOND = (
    "STRUCTURE,STRUCTURE_ID,freq,unit,coicop,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG\n"
    "dataflow,ESTAT:PRC_HICP_AIND(1.0),A,INX_A_AVG,CP00,CZ,2023,147.9,\n"
    "dataflow,ESTAT:PRC_HICP_AIND(1.0),A,RCH_A_AVG,CP00,CZ,2023,-0.1,\n"
)


@pytest.fixture
def references(tmp_path: Path) -> Iterator[References]:
    folder = tmp_path / "data"
    folder.mkdir()
    database = open_indicators(folder)
    yield References(database)
    database.close()


def kept(references: References, path: Path, body: bytes) -> dict[str, dict[str, float | None]]:
    path.write_bytes(body)
    references.import_file(PARITIES, path)
    table = references.find(PARITIES.id)[1]
    return {
        key: {year: values[row] for year, values in table.columns.items()}
        for row, key in enumerate(table.keys)
    }


def test_both_layouts_say_the_same_packed_or_not(references: References, tmp_path: Path) -> None:
    expected = {
        "BG": {"2021": 0.8214, "2022": 0.8731, "2023": 0.9055},
        "CZ": {"2021": 18.0211, "2022": None, "2023": 19.9004},
        "EL": {"2021": None, "2022": None, "2023": 0.8012},
    }
    for name, text in (("estat.tsv", TSV), ("estat.csv", CSV)):
        assert kept(references, tmp_path / name, text.encode()) == expected
        assert kept(references, tmp_path / f"{name}.gz", gzip.compress(text.encode())) == expected
    told = references.find(PARITIES.id)[0].about["told"]
    assert told["na_item"] == "PPP_EU27_2020"


def test_the_second_version_of_sdmx_csv_is_read_too(references: References, tmp_path: Path) -> None:
    path = tmp_path / "estat_prc_hicp_aind.csv"
    path.write_text(SECOND)
    references.import_file(LEVELS, path)
    table = references.find(LEVELS.id)[1]
    assert (table.keys, table.columns) == (["CZ"], {"2023": [147.9]})


def test_an_answer_of_the_newer_table_is_read_by_a_copy_of_the_definition(
    references: References, tmp_path: Path
) -> None:
    """Heading and first line as Eurostat's API gave them for prc_ppp_ind_1 in January 2026."""
    path = tmp_path / "prc_ppp_ind_1.csv"
    path.write_text(
        "DATAFLOW,LAST UPDATE,freq,indic_ppp,ppp_cat18,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG,CONF_STATUS\n"
        "ESTAT:PRC_PPP_IND_1(1.0),13/01/26 23:00:00,A,PLI_EU27_2020,A0101,DE,2024,103.4,,\n"
        "ESTAT:PRC_PPP_IND_1(1.0),13/01/26 23:00:00,A,PLI_EU27_2020,A0101,NL,2024,98.7,p,\n"
    )
    with pytest.raises(BadRequestData, match="no dimension 'na_item', but freq, indic_ppp"):
        references.import_file(PARITIES, path)
    series = {"indic_ppp": "PLI_EU27_2020", "ppp_cat18": "A0101"}
    references.import_file(msgspec.structs.replace(PARITIES, series=series), path)
    table = references.find(PARITIES.id)[1]
    assert dict(zip(table.keys, table.columns["2024"], strict=True)) == {"DE": 103.4, "NL": 98.7}


def test_marks_that_published_files_have_are_no_values(
    references: References, tmp_path: Path
) -> None:
    """Files of prc_hicp_aind have `: @C` where a figure is confidential, and a letter as a flag."""
    path = tmp_path / "estat_prc_hicp_aind.tsv"
    path.write_text(
        "freq,unit,coicop,geo\\TIME_PERIOD\t2022 \t2023 \t2024 \n"
        "A,INX_A_AVG,CP00,BG\t132.26 \t143.62 d\t: @C\n"
        "A,RCH_A_AVG,CP00,BG\t13.0 \t8.6 \t2.6 \n"
    )
    references.import_file(LEVELS, path)
    table = references.find(LEVELS.id)[1]
    assert table.columns == {"2022": [132.26], "2023": [143.62], "2024": [None]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CSV.replace("ppp_cat", "category"), "no dimension 'ppp_cat'"),
        (CSV.replace("PPP_EU27_2020", "EXP_NAC"), "has no series"),
        (CSV.replace(",2022,", ",2022-Q1,"), "line 5: '2022-Q1' is no year"),
        (CSV.replace(",2022,", ",2021,"), "line 5: 'BG' has two values of 2021"),
        (CSV.replace("0.8731", "many"), "'many b' is no number"),
        (CSV.replace("0.8731", "-0.8731"), "is no number"),
        (CSV.replace("A,PPP_EU27_2020,GDP,EL,2023,0.8012,,", "A"), "line 10: 3 cells"),
        (CSV.replace(",geo,", ",ppp_cat,"), "each column once"),
        (CSV.replace("0.8731", "9" * 140_000), "line 5: field larger than"),
        (CSV.replace(",geo,", f",{'g' * 140_000},"), "line 1: field larger than"),
        (CSV.replace("A,PPP_EU27_2020,GDP,CZ", "M,PPP_EU27_2020,GDP,CZ"), "several of freq"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(
    references: References, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "estat.csv"
    path.write_text(text)
    with pytest.raises(BadRequestData) as caught:
        references.import_file(PARITIES, path)
    assert said in caught.value.detail
    assert references.newest() == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400), st.integers(0, 200))
def test_a_hostile_table_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, junk: str, at: int
) -> None:
    path = tmp_path_factory.mktemp("hostile") / "estat.csv"
    path.write_bytes((CSV[:at] + junk + CSV[at:]).encode("utf-8", "replace"))
    database = open_indicators(path.parent)
    try:
        References(database).import_file(PARITIES, path)
    except BadRequestData:
        pass
    finally:
        database.close()
