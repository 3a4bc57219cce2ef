"""An index from its specification: what is refused and how, and what the answer says."""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rynek.base.errors import BadRequestData
from rynek.indicators import document, evaluate_index, parse_specification
from rynek.indicators.index.normalise import normalise

HEAD = "code,name,region,jobs,people,share,odd"
ROWS = [
    "a,Alfa,N,100,1000,0.5,x",
    "b,Beta,N,300,1000,0.6,x",
    "c,Gama,S,200,1000,0.7,y",
    "d,Delta,S,250,1000,0.1,y",
    "e,Eta,S,50,1000,0.2,y",
]
BASE: dict[str, Any] = {
    "name": "Work",
    "runs": 60,
    "sensitivity": {"samples": 16},
    "table": {"file": "t.csv", "unit": "code", "name": "name", "group": "region"},
    "indicators": [
        {"id": "jobs", "column": "jobs", "denominator": "people", "per": 100, "unit": "%"},
        {"id": "share", "column": "share", "unit": "share"},
    ],
}


def write(folder: Path, *rows: str, head: str = HEAD) -> None:
    (folder / "t.csv").write_text("\n".join([head, *(rows or ROWS)]) + "\n", "utf-8")


def ask(folder: Path, **more: Any) -> dict[str, Any]:
    return document(evaluate_index(parse_specification(BASE | more), folder))


def changed(row: int, **cells: str) -> list[str]:
    """The table with some cells of a row replaced."""
    values = dict(zip(HEAD.split(","), ROWS[row].split(","), strict=True)) | cells
    return [*ROWS[:row], ",".join(values.values()), *ROWS[row + 1 :]]


def indicators(**more: Any) -> list[dict[str, Any]]:
    return [BASE["indicators"][0], BASE["indicators"][1] | more]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (changed(1, people="0"), "row 2 (b), column 'people' is 0: the indicator 'jobs' divides"),
        (changed(2, people="-4"), "row 3 (c), column 'people' is -4"),
        (changed(2, share="1.2"), "row 3 (c), column 'share': the indicator 'share' is 1.2 share, outside 0 … 1"),
        (changed(0, jobs="1001"), "row 1 (a), column 'jobs': the indicator 'jobs' is 100.1 %, outside 0 … 100"),
        (changed(0, jobs="lots"), "row 1 (a), column 'jobs' holds 'lots', which is no finite number"),
        (changed(0, jobs="inf"), "holds 'inf', which is no finite number"),
        (changed(0, jobs="1e999"), "holds '1e999', which is no finite number"),
        (changed(3, code="a"), "the unit 'a' stands in rows 1 and 4"),
        (changed(3, code=""), "row 4, column 'code' is empty"),
        (changed(3, region=""), "row 4 (d), column 'region' is empty"),
        ([row.replace(row.split(",")[5], "0.4") for row in ROWS], "'share' has the value 0.4 everywhere"),
        ([",".join([*row.split(",")[:5], "NA", "x"]) for row in ROWS], "0 units have enough values"),
        (changed(1, jobs="100,5").copy()[:2], "is no table"),
    ],
)  # fmt: skip
def test_an_impossible_table_is_refused_with_its_cell(
    tmp_path: Path, rows: list[str], words: str
) -> None:
    write(tmp_path, *rows)
    with pytest.raises(BadRequestData) as refused:
        ask(tmp_path)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"colour": 1}, "unknown field `colour`"),
        ({"indicators": indicators(wieght=2)}, "unknown field `wieght`"),
        ({"indicators": indicators(column="shares")}, "no column 'shares'; it has code, name"),
        ({"indicators": []}, "from 1 to 200"),
        ({"indicators": indicators(weight=float("nan"))}, "weight is nan"),
        ({"indicators": indicators(weight=-1)}, "turn its direction instead"),
        ({"indicators": [BASE["indicators"][0]] * 2}, "the id 'jobs' stands twice"),
        ({"indicators": indicators(direction="target")}, "target needs a value"),
        ({"indicators": indicators(direction="up")}, "Invalid enum value 'up'"),
        ({"indicators": indicators(unit_column="odd")}, "has two units: 'x' (t.csv, row 1 (a), column 'odd') and 'y'"),
        ({"indicators": [*BASE["indicators"], {"id": "twin", "column": "share", "unit": "%"}]}, "in two units, 'share' and '%'"),
        ({"indicators": indicators(transformation="log", column="odd")}, "holds 'x'"),
        ({"indicators": indicators(error={"relative": 2})}, "error.relative is from 0 to 1"),
        ({"groups": {"expected": ["N", "S", "W"]}}, "the group 'W' has no unit"),
        ({"table": BASE["table"] | {"never": ["share"]}}, "'share' is read by the specification"),
        ({"table": BASE["table"] | {"file": "gone.csv"}}, "cannot be read"),
        ({"table": BASE["table"] | {"encoding": "klingon"}}, "no encoding 'klingon'"),
        ({"table": BASE["table"] | {"separator": ";"}}, "no column 'code'"),
        ({"method": {"imputation": {"alternatives": ["mean"]}}}, "drop leaves units out"),
        ({"method": {"imputation": {"choice": "mean", "never": ["x"]}}}, "no indicator 'x'"),
        ({"method": {"weights": {"choice": "given", "alternatives": ["given"]}}}, "names one of them twice"),
        ({"method": {"inclusion": {"leave_one_out": True}}}, "three indicators or more"),
        ({"runs": -1}, "runs: -1 is not from 0"),
        ({"runs": 10**9}, "runs: 1000000000 is not from 0"),
        ({"sensitivity": {"samples": 100}}, "a power of two"),
        ({"interval": 1.0}, "interval: from 0.5"),
    ],
)  # fmt: skip
def test_a_wrong_specification_is_refused_with_its_key(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    write(tmp_path)
    with pytest.raises(BadRequestData) as refused:
        ask(tmp_path, **more)
    assert words in str(refused.value)


def test_an_answer_holds_scores_ranks_and_what_they_rest_on(tmp_path: Path) -> None:
    write(tmp_path)
    found = ask(tmp_path)
    scores = {one["id"]: one["score"] for one in found["units"]}
    # Min-max of 10 30 20 25 5 and of 0.5 0.6 0.7 0.1 0.2, halves, in points of 100.
    assert scores == {
        "a": pytest.approx(50 * (5 / 25 + 4 / 6), abs=1e-3),
        "b": pytest.approx(50 * (1 + 5 / 6), abs=1e-3),
        "c": pytest.approx(50 * (15 / 25 + 1), abs=1e-3),
        "d": pytest.approx(50 * 20 / 25, abs=1e-3),
        "e": pytest.approx(50 * (1 / 6), abs=1e-3),
    }
    assert [one["rank"] for one in found["units"]] == [3, 1, 2, 4, 5]
    assert [one["id"] for one in found["groups"]] == ["N", "S"]
    north = 50 * (5 / 25 + 4 / 6 + 1 + 5 / 6) / 2
    assert found["groups"][0]["plain_mean"] == pytest.approx(north, abs=1e-3)
    # Two regions are too few to learn from how far regions lie apart.
    assert found["groups"][0]["drawn_to_the_middle"] == 0
    assert "no probabilities" in found["wording"]
    json.dumps(found, allow_nan=False)
    assert "probability" not in json.dumps([found["units"], found["groups"]])


def test_without_choices_and_errors_every_variant_is_the_reference(tmp_path: Path) -> None:
    write(tmp_path)
    found = ask(tmp_path)
    for one in found["units"]:
        assert one["rank_interval"] == [one["rank"], one["rank"]]
    assert found["leading"]["units"] is None
    assert found["variance"] is None
    assert found["mean_rank_shift"]["mean"] == 0


def test_the_same_seed_gives_the_same_answer(tmp_path: Path) -> None:
    write(tmp_path)
    method = {
        "normalisation": {"alternatives": ["zscore", "rank"]},
        "weights": {"uncertainty": 0.3},
    }
    one, same, other = (ask(tmp_path, method=method, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one["units"] != other["units"]


def test_equal_cities_cannot_be_told_apart_and_a_far_one_can(tmp_path: Path) -> None:
    error = {"absolute": 0.02}
    write(tmp_path, *changed(3, jobs="300", share="0.6"))
    method = {"weights": {"choice": "equal", "uncertainty": 0.2}}
    found = ask(tmp_path, runs=400, method=method, indicators=[
        {"id": "jobs", "column": "jobs", "denominator": "people", "error": error},
        {"id": "share", "column": "share", "error": error},
    ])  # fmt: skip
    leading = found["leading"]["units"]
    near = {
        one["id"]: one["share_of_variants_at_least_as_good"] for one in leading["not_told_apart"]
    }
    assert leading["told_apart"] is False
    assert 0.4 < near["d" if leading["leader"] == "b" else "b"] < 0.6
    assert "e" not in near
    assert set(found["variance"]["choices"]) == {"weights", "errors"}
    shares = [one["share_of_variants_first"] for one in found["units"]]
    assert sum(shares) == pytest.approx(1, abs=0.01)


def test_a_single_region_is_ahead_of_nobody(tmp_path: Path) -> None:
    method = {"weights": {"uncertainty": 0.3}}
    write(tmp_path)
    assert ask(tmp_path, method=method)["leading"]["groups"] is not None
    write(tmp_path, *(row.replace(",S,", ",N,") for row in ROWS))
    found = ask(tmp_path, method=method)
    assert [one["id"] for one in found["groups"]] == ["N"]
    assert found["leading"]["groups"] is None
    assert found["leading"]["units"] is not None


def test_values_of_rounding_and_uneven_lines_are_told_as_they_are(tmp_path: Path) -> None:
    tiny = [row.replace("0.", "0.000000000000000000000000") for row in ROWS]
    write(tmp_path, *tiny)
    with pytest.raises(BadRequestData, match="differ by less than 1e-15 or by rounding alone"):
        ask(tmp_path)
    write(tmp_path, *ROWS[:2], "c,Gama,S,200", *ROWS[3:])
    with pytest.raises(BadRequestData, match="line 4 has 4 cells and the heading 7"):
        ask(tmp_path)


def test_too_few_units_are_told_with_those_left_out(tmp_path: Path) -> None:
    for rows, more in ((2, ""), (6, " (left out: 4, the first because: no value of share")):
        shares = ["0.1", "0.2", *["NA"] * 4]
        write(tmp_path, *(f"{n},N{n},W,10,{900 + n},{shares[n]},x" for n in range(rows)))
        with pytest.raises(BadRequestData) as refused:
            ask(tmp_path)
        assert f"2 units have enough values; an index needs 3{more}" in refused.value.detail


def test_what_is_never_imputed_is_left_out_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path, *changed(4, share="NA"), "f,Fi,W,10,1000,NA,x")
    dropped = ask(tmp_path)
    assert [(one["id"], one["reason"]) for one in dropped["left_out"]] == [
        ("e", "no value of share, which is never imputed"),
        ("f", "no value of share, which is never imputed"),
    ]
    west = dropped["groups"][-1]
    assert (west["rank"], west["left_out"], west["reason"]) == (
        None,
        1,
        "none of its units has data",
    )
    how = {"choice": "median", "max_missing": 0.5}
    filled = ask(tmp_path, method={"imputation": how})
    assert not filled["left_out"]
    never = ask(tmp_path, method={"imputation": how | {"never": ["share"]}})
    assert len(never["left_out"]) == 2
    # What was filled carries an error of its own into the variants.
    spread = next(one for one in filled["units"] if one["id"] == "e")["rank_interval"]
    assert spread[0] < spread[1]
    available = ask(tmp_path, method={"imputation": how | {"choice": "available"}})
    eta = next(one for one in available["units"] if one["id"] == "e")
    # Of its jobs alone: 5 % between 1 and 30.
    assert eta["score"] == pytest.approx(100 * 4 / 29, abs=1e-3)


def test_rows_are_excluded_by_a_rule_before_they_are_judged(tmp_path: Path) -> None:
    write(tmp_path, *changed(4, people="0", odd="gone"))
    rule = {"column": "odd", "equals": "gone", "reason": {"en": "it is no more"}}
    found = ask(tmp_path, table=BASE["table"] | {"exclude": [rule]})
    assert found["left_out"] == [
        {"id": "e", "name": "Eta", "group": "S", "reason": {"en": "it is no more"}}
    ]


def test_directions_turn_an_indicator(tmp_path: Path) -> None:
    write(tmp_path)
    only = {"id": "x", "column": "share"}
    more = ask(tmp_path, indicators=[only])
    less = ask(tmp_path, indicators=[only | {"direction": "less"}])
    near = ask(tmp_path, indicators=[only | {"direction": "target", "target": 0.21}])
    assert [one["rank"] for one in more["units"]] == [3, 2, 1, 5, 4]
    assert [one["rank"] for one in less["units"]] == [3, 4, 5, 1, 2]
    first = min(near["units"], key=lambda one: one["rank"])
    assert first["id"] == "e"


def test_a_geometric_mean_punishes_what_is_lopsided(tmp_path: Path) -> None:
    write(tmp_path, "a,A,N,0,1000,1.0,x", "b,B,N,45,1000,0.45,x", "c,C,N,100,1000,0,x")
    plain = ask(tmp_path, indicators=[{"id": "j", "column": "jobs"}, BASE["indicators"][1]])
    bent = ask(
        tmp_path,
        indicators=[{"id": "j", "column": "jobs"}, BASE["indicators"][1]],
        method={"aggregation": {"choice": "geometric"}},
    )
    assert [one["rank"] for one in plain["units"]] == [1.5, 3, 1.5]
    assert [one["rank"] for one in bent["units"]] == [2.5, 1, 2.5]
    assert bent["method"]["compensation"].startswith("partial")


def test_redundant_pairs_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    twins = [
        BASE["indicators"][0],
        {"id": "twin", "column": "jobs", "unit": "people"},
        {"id": "contrary", "column": "jobs", "denominator": "people", "direction": "less", "unit": "%"},
    ]  # fmt: skip
    audit = ask(tmp_path, indicators=[twins[0], twins[1]])["audit"]
    assert audit["redundant_pairs"] == [{"indicators": ["jobs", "twin"], "correlation": 1.0}]
    assert audit["cronbach_alpha"] == 1.0


@pytest.mark.parametrize("kind", ["semicolon", "gzip", "cp1251", "utf16", "parquet", "thousands"])
def test_tables_are_read_as_they_are_written(tmp_path: Path, kind: str) -> None:
    write(tmp_path, *(row.replace("Alfa", "Альфа") for row in ROWS))
    expected = ask(tmp_path)["units"]
    text = (tmp_path / "t.csv").read_text("utf-8")
    table = dict(BASE["table"])
    if kind == "semicolon":
        (tmp_path / "t.csv").write_text(text.replace(",", ";").replace(".", ","), "utf-8")
    elif kind == "gzip":
        table["file"] = "t.csv.gz"
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    elif kind == "cp1251":
        table["encoding"] = "cp1251"
        (tmp_path / "t.csv").write_bytes(text.encode("cp1251"))
    elif kind == "utf16":
        (tmp_path / "t.csv").write_bytes(text.encode("utf-16"))
    elif kind == "thousands":
        (tmp_path / "t.csv").write_text(text.replace(",1000,", ',"1,000.0",'), "utf-8")
    else:
        table["file"] = "t.parquet"
        rows = [line.split(",") for line in text.splitlines()]
        columns: dict[str, Any] = {
            name: [row[n] for row in rows[1:]] for n, name in enumerate(rows[0])
        }
        columns["share"] = [float(one) for one in columns["share"]]
        columns["people"] = [int(one) for one in columns["people"]]
        pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert ask(tmp_path, table=table)["units"] == expected


def test_a_comma_that_may_be_either_is_asked_about(tmp_path: Path) -> None:
    write(tmp_path, *(row.replace(",1000,", ',"1,000",') for row in ROWS))
    with pytest.raises(BadRequestData, match=r"may be a thousand or a fraction; set table.decimal"):
        ask(tmp_path)
    ask(tmp_path, table=BASE["table"] | {"decimal": "."})
    wrong = dict(BASE["table"], decimal=",")
    with pytest.raises(BadRequestData, match="outside 0 … 100"):
        ask(tmp_path, table=wrong)


def test_text_in_another_encoding_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(
        "\n".join([HEAD, *ROWS]).replace("Alfa", "Łódź").encode("cp1250")
    )
    with pytest.raises(BadRequestData, match=r"not written in utf-8.*set table.encoding"):
        ask(tmp_path)


def test_many_variants_of_many_units_are_bounded(tmp_path: Path) -> None:
    write(tmp_path, *(f"u{n},U{n},N,{n + 1},1000,0.{n % 9}1,x" for n in range(700)))
    with pytest.raises(BadRequestData, match="ask for fewer runs"):
        ask(tmp_path, runs=200_000)


def test_small_regions_are_drawn_to_the_middle(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    rows = []
    for step, (region, many) in enumerate((("A", 2), ("B", 30), ("C", 30), ("D", 30), ("E", 5))):
        rows += [
            f"{region}{n},x,{region},{random.uniform(100, 300) + 100 * step:.0f},1000,{random.uniform(0.1, 0.9):.3f},x"
            for n in range(many)
        ]
    write(tmp_path, *rows)
    found = {one["id"]: one for one in ask(tmp_path)["groups"]}
    assert found["A"]["drawn_to_the_middle"] > found["E"]["drawn_to_the_middle"]
    assert found["E"]["drawn_to_the_middle"] > found["B"]["drawn_to_the_middle"] > 0
    wide = found["A"]["population_rank_interval"]
    assert wide[1] - wide[0] >= found["A"]["rank_interval"][1] - found["A"]["rank_interval"][0]


def test_large_numbers_that_differ_little_are_told_apart_in_every_variant(tmp_path: Path) -> None:
    """Singles hold seven digits: the variants are computed on a shifted scale."""
    write(tmp_path, *(f"u{n},U{n},N,{10_000_000 + n / 10},1000,0.5,x" for n in range(9)))
    found = ask(tmp_path, indicators=[{"id": "j", "column": "jobs"}])
    for one in found["units"]:
        assert one["rank_interval"] == [one["rank"], one["rank"]]


@pytest.mark.parametrize("how", ["zscore", "minmax", "rank", "percentile", "categorical"])
@pytest.mark.parametrize("aggregation", ["arithmetic", "geometric"])
def test_a_column_that_an_error_makes_constant_parts_nobody(
    tmp_path: Path, how: str, aggregation: str
) -> None:
    """Of eight units one lists no tool: where that is drawn as missed, all are alike in it."""
    rows = [f"u{n},U{n},N,{100 + 37 * n},1000,{0 if n == 7 else 1},x" for n in range(8)]
    write(tmp_path, *rows)
    method = {"normalisation": {"choice": how}, "aggregation": {"choice": aggregation}}
    more = {"direction": "more", "error": {"missed": 0.5}}
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = ask(tmp_path, method=method, indicators=indicators(**more))
    ranks = [row["rank_interval"] for row in found["units"]]
    assert np.isfinite(np.array(ranks, float)).all()
    shares = sum(row["share_of_variants_first"] for row in found["units"])
    assert shares >= 0.999


def test_a_constant_row_is_the_middle_and_keeps_its_gaps() -> None:
    values = np.array([[2.0, 2.0, np.nan, 2.0], [1.0, 2.0, 3.0, 4.0]])
    assert normalise(values, "zscore")[0].tolist()[:2] == [0, 0]
    assert normalise(values, "minmax")[0].tolist()[:2] == [0.5, 0.5]
    assert all(np.isnan(normalise(values, how)[0, 2]) for how in ("zscore", "minmax"))


def test_an_indicator_without_a_direction_needs_one_here() -> None:
    indicator = {"id": "moved", "column": "bike-rebalancing"}
    with pytest.raises(BadRequestData, match="bike-rebalancing: neither more nor less"):
        parse_specification(BASE | {"indicators": [indicator]})
    parse_specification(BASE | {"indicators": [indicator | {"direction": "more"}]})
