"""Why there is no number, in words."""

from __future__ import annotations

import msgspec
from tests.web.indicators.test_peers import valued

from rynek.indicators import find_definition
from rynek.indicators.saying import say
from rynek.web.i18n import LANGUAGES, translator
from rynek.web.indicators.words import change, figure, goodness, missing


def test_the_reason_is_a_sentence_in_the_language_of_the_page() -> None:
    why = say("value-coverage", coverage=0.749, needed=0.75)
    value = msgspec.structs.replace(valued(None, name="bikes-available"), why=why)
    assert missing(translator("en"), value) == "74.9% of the period was observed, 75% is needed."
    told = {missing(translator(language), value) for language in LANGUAGES}
    assert len(told) == len(LANGUAGES)
    assert all(one[0].isupper() or one[0].isdigit() for one in told)
    left_out = msgspec.structs.replace(value, status="ok", value=1.0)
    assert missing(translator("en"), left_out) == ""


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
