"""URNs of entities and the URI check."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.ids import is_uri, urn

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def test_plain_parts_stay_readable() -> None:
    assert urn("Vehicle", "kyiv", "4711") == "urn:ngsi-ld:Vehicle:kyiv:4711"
    assert urn("GtfsStop", "plzen", "CZ:12") == "urn:ngsi-ld:GtfsStop:plzen:CZ:12"


def test_what_a_urn_may_not_hold_is_encoded() -> None:
    assert urn("GtfsStop", "a b/č") == "urn:ngsi-ld:GtfsStop:a%20b%2F%C4%8D"
    assert urn("X", "50%", "<'\">") == "urn:ngsi-ld:X:50%25:%3C%27%22%3E"


@pytest.mark.parametrize("parts", [(), ("",), ("a", "")])
def test_empty_parts_are_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="URN"):
        urn("Vehicle", *parts)


@given(TEXT, TEXT)
def test_every_urn_is_an_ascii_uri(first: str, second: str) -> None:
    made = urn("Vehicle", first, second)
    assert is_uri(made)
    assert re.fullmatch(r"urn:ngsi-ld:[A-Za-z0-9._~!$*+,@:%-]+", made)


@given(st.tuples(TEXT, TEXT), st.tuples(TEXT, TEXT))
def test_different_parts_give_different_urns(one: tuple[str, str], two: tuple[str, str]) -> None:
    assert (urn("T", *one) == urn("T", *two)) == (one == two)


@pytest.mark.parametrize(
    "text", ["urn:ngsi-ld:Vehicle:1", "http://example.org/a?b#c", "urn:x:Škoda", "a:%20"]
)
def test_uris(text: str) -> None:
    assert is_uri(text)


@pytest.mark.parametrize(
    "text",
    ["", "x", "x:", ":x", "1a:b", "a b:c", "urn:a b", "urn:<x>", "a:%2", "a:%zz", "a:\n", "a:b\n"],
)
def test_no_uris(text: str) -> None:
    assert not is_uri(text)


@pytest.mark.parametrize("text", ["a:" + "b" * 2048, "a:\ud800"], ids=["long", "surrogate"])
def test_no_long_or_broken_uris(text: str) -> None:
    assert not is_uri(text)
