"""Published results, computed again from the same data through the public face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.recorded import needed

from rynek.practices import DESIGNS, Evaluation, evaluate, parse_specification

PROP99 = {
    "unit": "State",
    "time": "Year",
    "outcome": "PacksPerCapita",
    "treated": "California",
    "start": 1989,
}
SECTORS = ("agriculture", "energy", "industry", "construction", "services.venta")


def prop99(design: str, **more: Any) -> Evaluation:
    panel = needed("causal/california_prop99_panel.csv")
    document = PROP99 | {"panel": panel.name, "design": design} | more
    return evaluate(parse_specification(document), panel.parent)


@pytest.mark.parametrize(
    ("design", "effect", "within", "error", "published_error"),
    [
        ("did", -27.35, 0.01, 17.3, 17.7),
        ("synthetic_control", -19.51, 0.15, 10.6, 9.9),
        ("sdid", -15.60, 0.05, 9.4, 8.4),
    ],
)
def test_proposition_99(
    design: str, effect: float, within: float, error: float, published_error: float
) -> None:
    """Arkhangelsky et al. 2021, table 1; errors over all 38 placebo states."""
    found = prop99(design).estimate
    assert found.effect == pytest.approx(effect, abs=within)
    assert found.standard_error == pytest.approx(error, rel=0.01)
    assert found.standard_error == pytest.approx(published_error, rel=0.15)
    assert len(found.placebos) == 38


def test_proposition_99_says_the_same_twice_and_by_itself() -> None:
    first, second = prop99("auto").document(), prop99("auto").document()
    assert first == second
    assert first["design"] == "sdid"
    others = {one["design"]: one for one in first["alternatives"]}
    assert set(others) == set(DESIGNS) - {"sdid"}
    assert "too few" in others["bsts"]["refused"]
    assert first["weights"]["Nevada"] == pytest.approx(0.124, abs=0.01)
    assert sum(first["weights"].values()) == pytest.approx(1)
    assert first["time_weights"]["1988"] == pytest.approx(0.427, abs=0.01)
    treated = [one for one in first["effects"] if one["treated"]]
    assert [one["period"] for one in treated] == [str(year) for year in range(1989, 2001)]


def basque(tmp_path: Path) -> Evaluation:
    """Abadie & Gardeazabal 2003 as the file's description has it: shares of schooling, sectors."""
    import csv

    rows = list(csv.DictReader(needed("causal/basque.csv").open()))
    schools = [f"school.{one}" for one in ("illit", "prim", "med", "high", "post.high")]
    names = ["illit", "prim", "med", "high"]
    kept = [one for one in rows[0] if not one.startswith("school.")]
    panel = tmp_path / "basque.csv"
    with panel.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*kept, *names])
        writer.writeheader()
        for row in rows:
            parts = [float(row[one]) if row[one] else np.nan for one in schools]
            shares = [*parts[:3], parts[3] + parts[4]]
            told = {n: s / sum(parts) * 100 for n, s in zip(names, shares, strict=True)}
            writer.writerow({one: row[one] for one in kept} | told)
    every = [
        *({"column": one, "periods": [1964, 1969]} for one in (*names, "invest")),
        {"column": "gdpcap", "periods": [1960, 1969]},
        *(
            {"column": f"sec.{one}", "periods": [1961, 1963, 1965, 1967, 1969]}
            for one in (*SECTORS, "services.nonventa")
        ),
        {"column": "popdens", "periods": [1969]},
    ]
    document = {
        "panel": panel.name,
        "unit": "regionname",
        "time": "year",
        "outcome": "gdpcap",
        "treated": "Basque Country (Pais Vasco)",
        "start": 1970,
        "exclude": ["Spain (Espana)"],
        "design": "synthetic_control",
        "predictors": every,
        "fit_window": [1960, 1969],
        "effect_periods": [1975, 1997],
    }
    return evaluate(parse_specification(document), tmp_path)


def test_basque_country(tmp_path: Path) -> None:
    found = basque(tmp_path)
    weights = found.estimate.weights
    assert weights is not None
    used = {name: weight for name, weight in weights.items() if weight > 1e-3}
    assert used == {
        "Cataluna": pytest.approx(0.851, abs=0.005),
        "Madrid (Comunidad De)": pytest.approx(0.149, abs=0.005),
    }
    assert found.estimate.effect == pytest.approx(-0.700, abs=0.005)
    assert found.estimate.interval is None  # 16 donors
    assert "16 donors" in str(found.estimate.uncertainty)
    assert sum((found.estimate.predictor_weights or {}).values()) == pytest.approx(1)


def causal_impact(tmp_path: Path, add: float, **more: Any) -> Evaluation:
    """CausalImpact's ARMA series with `add` put on top of row 70 and what follows."""
    rows = needed("causal/causalimpact_arma_data.csv").read_text().splitlines()
    lines = [rows[0]]
    for number, row in enumerate(rows[1:]):
        x, y = row.split(",")
        lines.append(f"{x},{float(y) + add * (number >= 70)}")
    (tmp_path / "arma.csv").write_text("\n".join(lines))
    document = {"panel": "arma.csv", "outcome": "y", "covariates": ["X"], "start": 70}
    return evaluate(parse_specification(document | {"design": "bsts"} | more), tmp_path)


@pytest.mark.parametrize("more", [{"prior_level_sd": 0.01}, {}])
def test_causal_impact_after_adding_five(tmp_path: Path, more: dict[str, Any]) -> None:
    """README of the data's source: 4.89, 95 % from 4.26 to 5.47; also with the prior that rolling
    forecasts choose."""
    found = causal_impact(tmp_path, 5, **more).estimate
    assert found.effect == pytest.approx(4.89, abs=0.10)
    assert found.interval == pytest.approx((4.26, 5.47), abs=0.15)


def test_causal_impact_without_an_effect(tmp_path: Path) -> None:
    found = causal_impact(tmp_path, 0).estimate
    assert found.interval is not None
    assert found.interval[0] < 0 < found.interval[1]


def test_causal_impact_comparison() -> None:
    """R package: −657, [−2076, 832]; Python package: −709, [−2127, 725]."""
    panel = needed("causal/causalimpact_comparison_data.csv")
    document = {
        "panel": panel.name,
        "time": "DATE",
        "outcome": "CHANGED",
        "covariates": ["NOT_CHANGED_1", "NOT_CHANGED_2", "NOT_CHANGED_3"],
        "start": "2019-07-15",
        "design": "bsts",
    }
    found = evaluate(parse_specification(document), panel.parent)
    assert -780 < found.estimate.effect < -660
    assert found.estimate.interval is not None
    assert found.estimate.interval[0] < 0 < found.estimate.interval[1]
    assert "can't be told from zero" in found.sentence["en"]
