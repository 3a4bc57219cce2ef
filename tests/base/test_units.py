"""Unit codes and their symbols."""

import re

from rynek.base import units


def test_symbols() -> None:
    assert units.symbol(units.KMH) == "km/h"
    assert units.symbol("CEL") == "°C"
    assert units.symbol("P1") == "%"


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert units.symbol("XYZ") == "XYZ"


def test_codes_have_the_form_of_recommendation_20() -> None:
    assert all(re.fullmatch(r"[A-Z0-9]{2,3}", code) for code in units.SYMBOLS)
