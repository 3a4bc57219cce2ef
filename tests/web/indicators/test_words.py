"""Why there is no number, in words."""

from __future__ import annotations

import msgspec
import pytest
from tests.web.indicators.test_peers import valued

from rynek.indicators import find_definition
from rynek.web.i18n import LANGUAGES, translator
from rynek.web.indicators.words import change, figure, goodness, missing


@pytest.mark.parametrize(
    ("name", "coverage", "told"),
    [
        ("bikes-available", 0.746, "74% of the time was observed; 75% is needed."),
        ("bikes-available", 0.7499, "74% of the time was observed; 75% is needed."),
        ("bikes-per-100000", 1.0, "How many people live here, or on what area, is not known."),
        ("bikes-per-100000", 0.0, "How many people live here, or on what area, is not known."),
        ("bikes-per-100000", 0.5, "50% of the time was observed; 75% is needed."),
        ("bike-rebalanced", 1.0, "What it is counted from did not happen in this time."),
    ],
)
def test_the_reason_is_the_one_that_holds(name: str, coverage: float, told: str) -> None:
    value = msgspec.structs.replace(valued(None, name=name), coverage=coverage)
    assert missing(translator("en"), value) == told


def test_buses_that_leave_early_are_not_better_than_punctual_ones() -> None:
    median = find_definition("pt-delay-median")
    assert goodness(median, -180) < goodness(median, 10)


def test_per_cent_is_written_alike_throughout_a_language() -> None:
    for language in LANGUAGES:
        t = translator(language)
        assert figure(t, 50, "%") == t.percent(0.5)


def test_a_figure_without_a_direction_is_more_or_less_and_never_better() -> None:
    t = translator("en")
    told = [
        change(t, valued(now, name="traffic-speed"), valued(30.0, name="traffic-speed"))
        for now in (40.0, 20.0, 30.1)
    ]
    assert [one.kind for one in told if one is not None] == ["more", "less", "same"]
    assert told[0] is not None
    assert told[0].words == "more than before (30 km/h)"
