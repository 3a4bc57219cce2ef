"""How sure a value is, and definitions that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.history.support import HOUR, T0, ListLog, change, number
from tests.indicators.kpi.support import made_history, values

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.context import Instance
from rynek.history import History
from rynek.indicators import definitions, find_definition
from rynek.indicators.definition import LANGUAGES, parse_definition
from rynek.indicators.kpi.value import sampling_error

Reading = dict[str, Instance | list[Instance]]


def test_the_error_is_that_of_all_samples_of_days() -> None:
    """Against the spread of the estimate over many samples without replacement."""
    generator = np.random.default_rng(7)
    below = generator.uniform(20, 24, 200)
    above = below * generator.beta(2, 8, 200)
    estimates, told = [], []
    for _ in range(2_000):
        picked = generator.permutation(200)[:150]
        estimates.append(above[picked].sum() / below[picked].sum())
        found = sampling_error(above[picked], below[picked], 0.75)
        assert found is not None
        assert found[1] == 150
        told.append(found[0])
    assert np.mean(told) == pytest.approx(np.std(estimates), rel=0.05)


@pytest.mark.parametrize(
    ("above", "coverage"), [([1.0] * 4, 0.8), ([1.0, 2, 3, 4, 5], 1.0), ([0.0] * 9, 0.8)]
)
def test_there_is_no_error_of_few_days_alike_days_or_all(
    above: list[float], coverage: float
) -> None:
    assert sampling_error(np.array(above), np.full(len(above), 24.0), coverage) is None


@pytest.mark.parametrize(("units", "why"), [(["GQ", "GP"], "GP"), (["GP"], "where GQ is meant")])
def test_other_units_are_no_number(tmp_path: Path, units: list[str], why: str) -> None:
    async def fill(_: History, log: ListLog) -> None:
        for hour in range(24):
            unit = units[hour % len(units)]
            reading: Reading = {"no2": number(40 + hour, T0 + hour * HOUR, unit_code=unit)}
            log.write(
                change("update", "urn:a:1", reading, at=T0 + hour * HOUR, kind="AirQualityObserved")
            )

    folder = made_history(tmp_path / "h", "UTC", fill)
    found = values(folder, ["no2-mean"], "2026-03-10T12:00:00Z/2026-03-11T12:00:00Z", "UTC")
    assert (found["no2-mean"].status, found["no2-mean"].value) == ("contradictory data", None)
    assert why in str(found["no2-mean"].why)


def test_hours_over_a_limit(tmp_path: Path) -> None:
    async def fill(_: History, log: ListLog) -> None:
        for quarter in range(96):
            # Above 200 from the second to the fourth hour; the fifth has one high quarter.
            level = 250 if 4 <= quarter < 16 else 300 if quarter == 16 else 100
            at = T0 + quarter * HOUR // 4
            reading: Reading = {"no2": number(level, at, unit_code="GQ")}
            log.write(change("update", "urn:a:1", reading, at=at, kind="AirQualityObserved"))

    folder = made_history(tmp_path / "h", "UTC", fill)
    found = values(
        folder, ["no2-hours-over-200"], "2026-03-10T12:00:00Z/2026-03-11T12:00:00Z", "UTC"
    )
    assert found["no2-hours-over-200"].value == 3
    assert found["no2-hours-over-200"].coverage == pytest.approx(1)


def test_every_definition_is_whole() -> None:
    assert len(definitions()) >= 20
    for one in definitions():
        assert set(one.name) == set(one.description) == set(LANGUAGES)
        assert len({*one.name.values()}) >= 4
    with pytest.raises(ResourceNotFound):
        find_definition("x")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('measure = "share"', 'measure = "guess"'),
        ('attribute = "availableBikeNumber"', ""),
        ("at_most = 0", "at_most = 0, above = 3"),
        ('direction = "less"', 'direction = "target"'),
        ('holds = "PT1H"', 'holds = "soon"'),
        ("[name]", "[named]"),
    ],
)
def test_wrong_definitions_are_refused(old: str, new: str) -> None:
    import rynek.indicators

    folder = Path(rynek.indicators.__file__).parent / "kpi"
    text = (folder / "bike-stations-empty.toml").read_text("utf-8")
    text = text.replace("[computation]", '[computation]\nholds = "PT1H"')
    parse_definition("x", text)
    assert old in text
    with pytest.raises(BadRequestData):
        parse_definition("x", text.replace(old, new))
