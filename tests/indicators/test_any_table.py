"""Whatever a table holds: an answer without NaN, or a refusal that names what is wrong."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rynek.base.errors import BadRequestData
from rynek.indicators import document, evaluate_index, parse_specification, rerank
from rynek.indicators.index.outliers import treatment
from rynek.indicators.index.specification import Outliers
from rynek.indicators.table import _decimal, _number

NUMBERS = st.one_of(
    st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: f"{x:.6g}"),
    st.sampled_from(["0", "1", "NA", "", "1e-300", "-0", "1e300", "0.5"]),
)
ODD = st.sampled_from(["inf", "nan", "x", "1,5", "1.2.3", "١", "--", "1e999", " 7 ", "1 000"])
METHODS = st.fixed_dictionaries(
    {
        "imputation": st.sampled_from(["median", "mean", "available", "regression", "group_median"]).map(
            lambda choice: {"choice": choice, "max_missing": 0.7}
        ),
        "outliers": st.sampled_from(["none", "winsorise", "log", "boxcox"]).map(
            lambda choice: {"choice": choice, "skewness": 0.5, "kurtosis": 0.5}
        ),
        "normalisation": st.sampled_from(
            ["minmax", "zscore", "rank", "percentile", "categorical", "target"]
        ).map(lambda choice: {"choice": choice}),
        "weights": st.sampled_from(["given", "equal", "pca"]).map(
            lambda choice: {"choice": choice, "uncertainty": 0.3}
        ),
        "aggregation": st.sampled_from(["arithmetic", "geometric"]).map(
            lambda choice: {"choice": choice}
        ),
        "inclusion": st.booleans().map(lambda yes: {"leave_one_out": yes}),
    }
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(
    rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, st.sampled_from("AB")), min_size=3, max_size=25),
    odd=st.one_of(st.none(), ODD),
    method=METHODS,
    directions=st.lists(st.sampled_from(["more", "less"]), min_size=3, max_size=3),
)  # fmt: skip
def test_any_table_gives_an_answer_or_a_reason(
    rows: list[tuple[str, ...]], odd: str | None, method: dict[str, Any], directions: list[str]
) -> None:
    lines = [f'u{n},{row[3]},"{row[0]}","{row[1]}","{row[2]}"' for n, row in enumerate(rows)]
    if odd is not None:
        lines.append(f'last,A,"{odd}",1,2')
    spec = {
        "name": "any",
        "runs": 8,
        "sensitivity": {"samples": 16, "resamples": 20},
        "table": {"file": "t.csv", "unit": "u", "group": "g"},
        "indicators": [
            {"id": x, "column": x, "direction": way, "error": {"relative": 0.1}}
            for x, way in zip("abc", directions, strict=True)
        ],
        "method": method,
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "t.csv").write_text("u,g,a,b,c\n" + "\n".join(lines) + "\n", "utf-8")
        try:
            found = document(evaluate_index(parse_specification(spec), Path(folder)))
        except BadRequestData:
            return
    json.dumps(found, allow_nan=False)
    assert all(one["score"] is not None for one in found["units"])
    ranks = [one["rank"] for one in found["units"]]
    assert math.isclose(sum(ranks), len(ranks) * (len(ranks) + 1) / 2)
    for one in found["units"]:
        low, high = one["rank_interval"]
        assert 1 <= low <= high <= len(ranks)
    again = rerank(found, {"a": 1.0, "b": 1.0, "c": 1.0})
    assert np.isfinite(again.scores).all()


@given(
    value=st.floats(-1e12, 1e12, allow_nan=False).map(lambda x: round(x, 4)),
    form=st.sampled_from(["plain", "comma", "spaces", "english", "german"]),
)
def test_a_number_is_read_as_it_was_written(value: float, form: str) -> None:
    text = f"{value:.4f}"
    if form == "comma":
        text = text.replace(".", ",")
    elif form == "spaces":
        text = f"{value:,.4f}".replace(",", " ")
    elif form == "english":
        text = f"{value:,.4f}"
    elif form == "german":
        text = f"{value:,.4f}".replace(",", "_").replace(".", ",").replace("_", ".")
    assert _number(text, _decimal([text], "x", "t")) == value


def test_winsorising_never_wipes_an_indicator_out() -> None:
    values = np.concatenate([np.zeros(960), np.arange(1, 41) ** 3.0])
    (found,) = treatment(values[None], Outliers(), "winsorise")
    assert len(np.unique(found.apply(values))) > 1


@pytest.mark.parametrize(
    ("table", "columns", "method"),
    [
        ("u,x\na,1\nb,2\nc,3\nd,3\n", "x", {}),
        ("u,x,y\na,0,1\nb,3,0\nc,5,2\n", "xy", {"aggregation": {"choice": "geometric"}}),
        ("u,x,y\na,-5,3\nb,-1,2\nc,0,1\n", "xy", {"normalisation": {"choice": "zscore"}}),
    ],
)
def test_units_without_groups_are_ranked(
    table: str, columns: str, method: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(table)
    asked = {
        "id": "t", "name": "T", "runs": 50, "table": {"file": "t.csv", "unit": "u"}, "method": method,
        "indicators": [{"id": one, "column": one} for one in columns],
    }  # fmt: skip
    found = document(evaluate_index(parse_specification(asked), tmp_path))
    assert found["groups"] == []
    # Fifty variants that are all the same say nothing about who is ahead.
    assert found["leading"] == {"units": None, "groups": None}
    many = len(found["units"])
    assert sum(one["rank"] for one in found["units"]) == many * (many + 1) / 2


def test_a_table_lies_beside_its_specification(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("u,x\na,1\nb,2\nc,3\n")
    (tmp_path / "beside").mkdir()
    for name in ("../secret.csv", str(tmp_path / "secret.csv"), "a\0b"):
        asked = {
            "id": "t", "name": "T", "table": {"file": name, "unit": "u"},
            "indicators": [{"id": "x", "column": "x"}],
        }  # fmt: skip
        with pytest.raises(BadRequestData, match=r"table.file: .* does not lie beside"):
            evaluate_index(parse_specification(asked), tmp_path / "beside")
