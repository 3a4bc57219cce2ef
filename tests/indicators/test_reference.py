"""Reference tables: whole or not at all, every version kept, read again as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.indicators import References, load_definition, open_indicators, shipped_definitions

DEFINITION = """
id = "towns"
title = "Towns"
licence = "CC0"
period = "2024"
key = "code"
key_pattern = "[a-z]{1,3}"
[[columns]]
name = "people"
column = "people"
minimum = 1
[[columns]]
name = "port"
column = "port"
kind = "flag"
empty = 0
[[columns]]
name = "half"
column = "half"
[never]
mayor = "describes a person"
[[totals]]
total = "people"
parts = ["half", "half2"]
[[columns]]
name = "half2"
column = "half2"
"""
HEAD = "code,people,port,half,half2,mayor\n"
GOOD = HEAD + "a,10,1,4,6,Eva\nb,20,NA,12,8,Jan\n"


@pytest.fixture
def references(tmp_path: Path) -> References:
    (tmp_path / "towns.toml").write_text(DEFINITION)
    return References(open_indicators(tmp_path))


def put(references: References, folder: Path, text: str) -> tuple[int, bool]:
    (folder / "towns.csv").write_text(text)
    source = load_definition(str(folder / "towns.toml"))
    kept, new = references.import_file(source, folder / "towns.csv")
    return kept.version, new


def test_every_version_is_kept_and_the_same_makes_none(
    references: References, tmp_path: Path
) -> None:
    assert put(references, tmp_path, GOOD) == (1, True)
    assert put(references, tmp_path, GOOD) == (1, False)
    assert put(references, tmp_path, GOOD.replace("a,10,1,4,6", "a,11,1,4,7")) == (2, True)
    kept, table = References(open_indicators(tmp_path)).find("towns")
    assert (kept.version, table.columns["people"]) == (2, [11, 20])
    first, old = references.find("towns", 1)
    assert old.columns == {"people": [10, 20], "port": [1, 0], "half": [4, 12], "half2": [6, 8]}
    assert (first.about["licence"], first.about["period"]) == ("CC0", "2024")
    assert "mayor" not in str(old)
    assert [number for number, _ in references.numbers("towns")] == [1, 2]
    with pytest.raises(ResourceNotFound):
        references.find("towns", 3)
    with pytest.raises(ResourceNotFound):
        references.find("none")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("b,20", "b,0", "row 2 (b), column 'people' is 0, outside 1"),
        ("b,20", "a,20", "the key 'a' stands in rows 1, 2"),
        ("b,20", "B9,20", "'B9' is no key of towns"),
        ("b,20", ",20", "column 'code' is empty"),
        ("NA", "2", "column 'port' is 2, outside 0 … 1"),
        ("12,8", "12,9", "half + half2 is 21 and not people, 20"),
        ("b,20", "b,many", "holds 'many', which is no finite number"),
    ],
)
def test_an_impossible_value_stops_the_whole_import(
    references: References, tmp_path: Path, old: str, new: str, words: str
) -> None:
    put(references, tmp_path, GOOD)
    with pytest.raises(BadRequestData) as refused:
        put(references, tmp_path, GOOD.replace(old, new))
    assert words in str(refused.value)
    assert [number for number, _ in references.numbers("towns")] == [1]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "towns"', 'id = "towns"\ncolour = 1', "unknown field `colour`"),
        ('column = "half2"', 'column = "mayor"', "'mayor' stands in never"),
        ('name = "half2"', 'name = "half"', "'half' is defined twice"),
        ('parts = ["half", "half2"]', 'parts = ["third"]', "no column 'third'"),
        ('key = "code"', 'key = ""', "needs key and columns"),
    ],
)
def test_a_wrong_definition_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "towns.toml").write_text(DEFINITION.replace(old, new))
    with pytest.raises(BadRequestData) as refused:
        load_definition(str(tmp_path / "towns.toml"))
    assert words in str(refused.value)


def test_shipped_definitions_load() -> None:
    assert "ua-hromadas" in shipped_definitions()
    for name in shipped_definitions():
        assert load_definition(name).licence
    with pytest.raises(BadRequestData, match="neither a file nor one of"):
        load_definition("moon")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("x,y\n1,2\n", "no heading such as CITIES/TIME"),
        ("CITIES/TIME,2008,2008\nA,1,2\n", "no years"),
        ("CITIES/TIME,2008,2009\nA,1\n", "1 cells for 2 years"),
        ("CITIES/TIME,2008,2009\nA,1,2x\n", ""),
        ("CITIES/TIME,2008\nA,101\n", "101 % is outside"),
        ("CITIES/TIME,2008\nA,lots\n", "(A, 2008): 'lots' is no number"),
    ],
)
def test_odd_eurostat_sheets(references: References, tmp_path: Path, body: str, words: str) -> None:
    (tmp_path / "s.csv").write_text(body)
    source = load_definition("eurostat-urb-ctran")
    if not words:  # a flag
        references.import_file(source, tmp_path / "s.csv")
        assert references.find(source.id)[1].columns["2009"] == [2]
        return
    with pytest.raises(BadRequestData) as refused:
        references.import_file(source, tmp_path / "s.csv")
    assert words in str(refused.value)
    assert references.newest() == []


TSV = (
    "freq,indic_ur,cities\\TIME_PERIOD\t2015 \t2016 \t2017 \n"
    "A,DE1001V,BG001C\t1228282 \t1231981 b\t: \n"
    "A,DE1001V,PL005C\t542348 \t540372 \t: c\n"
    "A,DE1002V,BG001C\t590000 \t592000 \t: \n"
)


def test_tsv_of_the_api_is_keyed_by_codes(references: References, tmp_path: Path) -> None:
    """As the dissemination API of Eurostat gives it: one series of several, flags, no value."""
    file = tmp_path / "estat_urb_cpop1.tsv"
    file.write_text(TSV)
    references.import_file(load_definition("eurostat-urb-cpop1"), file)
    kept, table = references.find("eurostat-urb-cpop1")
    assert table.keys == ["BG001C", "PL005C"]
    assert table.columns == {
        "2015": [1228282, 542348], "2016": [1231981, 540372], "2017": [None, None],
    }  # fmt: skip
    assert table.told == {"freq": "A", "indic_ur": "DE1001V"}
    assert kept.about["means"] == "population"


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ("DE1001V", "DE1003V", "has no series {'indic_ur': 'DE1001V'}"),
        ("indic_ur,cities", "indic,cities", "has no dimension 'indic_ur'"),
        ("A,DE1001V,PL", "M,DE1001V,PL", "has several of freq (A, M); name one"),
        ("A,DE1001V,BG001C", "A,BG001C", "has no code for each of freq,indic_ur,cities"),
        ("\t2016 ", "\t2016-Q1 ", "no years"),
        ("542348 ", "five ", "'five' is no number"),
        ("A,DE1002V,BG001C", "A,DE1001V,BG001C", None),
    ],
)
def test_other_tsv_is_refused(
    references: References, tmp_path: Path, wrong: str, right: str, words: str | None
) -> None:
    file = tmp_path / "x.tsv"
    file.write_text(TSV.replace(wrong, right))
    source = load_definition("eurostat-urb-cpop1")
    if words is None:  # a key that stands twice is left out and named
        references.import_file(source, file)
        assert references.find(source.id)[1].keys == ["PL005C"]
        return
    with pytest.raises(BadRequestData) as refused:
        references.import_file(source, file)
    assert words in str(refused.value)
    assert references.newest() == []


def test_local_units_say_how_many_live_there_and_where(
    references: References, tmp_path: Path
) -> None:
    file = tmp_path / "lau.csv"
    file.write_text(
        "GISCO_ID,CNTR_CODE,LAU_NAME,POP_2024,POP_DENS_2024,AREA_KM2,YEAR\n"
        "CZ_554791,CZ,Plzeň,187928,1364,137.67,2024\nAL_AL141,AL,Kurbin,0,0,269,2024\n"
    )
    references.import_file(load_definition("gisco-lau-2024"), file)
    _, table = references.find("gisco-lau-2024")
    assert table.columns["population"] == [187928, 0]
    file.write_text("NUTS_ID,CNTR_CODE,NAME_LATN\nCZ032,CZ,Plzeňský kraj\nCZ-032,CZ,wrong\n")
    with pytest.raises(BadRequestData, match=r"row 2: 'CZ-032' is no key"):
        references.import_file(load_definition("gisco-nuts-2024"), file)


SDMX = """DATAFLOW,LAST UPDATE,freq,indic_ur,cities,TIME_PERIOD,OBS_VALUE,OBS_FLAG
ESTAT:URB_CPOP1(1.0),12/11/25 11:00:00,A,DE1001V,BG001C,2015,1228282,
ESTAT:URB_CPOP1(1.0),12/11/25 11:00:00,A,DE1001V,BG001C,2016,1231981,b
ESTAT:URB_CPOP1(1.0),12/11/25 11:00:00,A,DE1001V,PL005C,2016,540372,e
ESTAT:URB_CPOP1(1.0),12/11/25 11:00:00,A,DE1001V,PL005C,2017,,
ESTAT:URB_CPOP1(1.0),12/11/25 11:00:00,A,DE1002V,BG001C,2016,595000,
"""


def test_sdmx_csv_of_eurostat_gives_the_same_table_as_tsv(
    references: References, tmp_path: Path
) -> None:
    file = tmp_path / "estat_urb_cpop1.csv"
    file.write_text(SDMX)
    references.import_file(load_definition("eurostat-urb-cpop1"), file)
    _, table = references.find("eurostat-urb-cpop1")
    assert table.keys == ["BG001C", "PL005C"]
    assert table.columns == {
        "2015": [1228282, None], "2016": [1231981, 540372], "2017": [None, None],
    }  # fmt: skip
    assert table.told == {"freq": "A", "indic_ur": "DE1001V"}


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ("OBS_VALUE", "VALUE", "needs TIME_PERIOD and OBS_VALUE"),
        ("indic_ur", "indic", "has no dimension 'indic_ur', but freq, indic, cities"),
        ("A,DE1001V,PL005C,2016", "M,DE1001V,PL005C,2016", "has several of freq (A, M)"),
        ("DE1001V", "DE1003V", "has no series"),
        ("BG001C,2015,", "BG001C,2016,", "line 3: 'BG001C' has two values of 2016"),
        ("PL005C,2017", "PL005C,2017-Q1", "line 5: '2017-Q1' is no year"),
        ("540372,e", "540372", "line 4: 7 cells for 8 columns"),
        ("540372", "many", "'many e' is no number"),
    ],
)
def test_other_sdmx_csv_is_refused(
    references: References, tmp_path: Path, wrong: str, right: str, words: str
) -> None:
    file = tmp_path / "x.csv"
    file.write_text(SDMX.replace(wrong, right))
    with pytest.raises(BadRequestData) as refused:
        references.import_file(load_definition("eurostat-urb-cpop1"), file)
    assert words in str(refused.value)
    assert references.newest() == []


KATOTTH = """Кодифікатор адміністративно-територіальних одиниць,,,,,,
,,,,,,
Перший рівень,Другий рівень,Третій рівень,Четвертий рівень,Додатковий рівень,Категорія об'єкта,Назва об’єкта
UA05000000000010236,,,,,O,Вінницька
UA05000000000010236,UA05020000000026686,,,,P,Вінницький
UA05000000000010236,UA05020000000026686,UA05020010000053508,,,H,Агрономічна
UA05000000000010236,UA05020000000026686,UA05020010000053508,UA05020010010015390,,C,Агрономічне
UA80000000000093317,,,,,K,Київ
UA80000000000093317,,,,UA80000000000126643,B,Голосіївський
"""


def test_the_codifier_of_ukraine_is_keyed_by_its_deepest_code(
    references: References, tmp_path: Path
) -> None:
    file = tmp_path / "kodyfikator.csv"
    file.write_text(KATOTTH, "utf-8")
    kept, _ = references.import_file(load_definition("ua-katotth"), file)
    assert kept.about["rows"] == 6
    _, table = references.find("ua-katotth")
    assert table.keys[2:4] == ["UA05020010000053508", "UA05020010010015390"]
    assert table.columns["name"][3:] == ["Агрономічне", "Київ", "Голосіївський"]
    assert table.columns["category"] == ["O", "P", "H", "C", "K", "B"]
    assert table.columns["hromada"] == [None, None, *["UA05020010000053508"] * 2, None, None]
    assert table.columns["oblast"][-1] == "UA80000000000093317"
    file.write_text(KATOTTH.replace("UA80000000000126643", "UA800000"), "utf-8")
    with pytest.raises(BadRequestData, match="row 6: 'UA800000' is no key of ua-katotth"):
        references.import_file(load_definition("ua-katotth"), file)
