"""Cards from outside: what is wrong is named by its field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.practices.cards.support import document

from rynek.base.errors import BadRequestData, InvalidRequest, PayloadTooLarge, Problem
from rynek.practices.cards import parse_card, read_document, to_document


def test_a_card_comes_back_as_it_went_in() -> None:
    whole = document()
    assert to_document(parse_card(whole)) == whole


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": {}}, "title"),
        ({"title": {"en": " "}}, "title.en"),
        ({"title": {"en": "x" * 201}}, "title.en"),
        ({"title": {"de": "Radstraßen"}}, "title"),
        ({"title": "Bicycle streets"}, "title"),
        ({"summary": {"en": "x" * 20_001}}, "summary.en"),
        ({"theme": "Cycling!"}, "theme"),
        ({"cluster": "bicycles"}, "cluster"),
        ({"status": "dead"}, "status"),
        ({"verdict": {"outcome": "worked", "reason": {}}}, "verdict.reason"),
        ({"verdict": {"outcome": "loser", "reason": {"en": "no"}}}, "verdict.outcome"),
        ({"city": {"name": {"en": "Ruse"}, "country": "Bulgaria"}}, "city.country"),
        ({"city": {"name": {}, "country": "BG"}}, "city.name"),
        ({"city": {"name": {"en": "R"}, "country": "BG", "population": 0}}, "city.population"),
        ({"city": None}, "city"),
        ({"places": [{"name": "x", "longitude": 181, "latitude": 0}]}, "places[0].longitude"),
        ({"places": [{"name": "x", "longitude": 18}]}, "places[0]"),
        ({"phases": [{"title": {"en": "x"}, "start": "May 2022"}]}, "phases[0].start"),
        ({"phases": [{"title": {"en": "x"}, "start": "2022-13"}]}, "phases[0].start"),
        ({"phases": [{"title": {"en": "x"}, "start": "2022-04", "end": "2021"}]}, "phases[0].end"),
        ({"costs": [{"kind": "capital"}]}, "costs[0]"),
        ({"procurement": [{"ocid": "12345"}]}, "procurement[0].ocid"),
        ({"sources": [{"title": "x", "url": "javascript:alert(1)"}]}, "sources[0].url"),
        ({"sources": [{"title": "x", "url": "https://a b"}]}, "sources[0].url"),
        ({"sources": [{"title": "x\x00"}]}, "sources[0].title"),
        ({"sources": [{"title": "x\u202egnp"}]}, "sources[0].title"),
        ({"lessons": [{"en": "x"}] * 101}, "lessons"),
        ({"questions": [{"key": "A B", "title": {}, "specification": {}}]}, "questions[0].key"),
        ({"facts": [{"text": {"en": "x"}, "author": "me"}]}, "facts[0]"),
        ({"colour": "red"}, "the card"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestData) as caught:
        parse_card(document(**changes))
    assert caught.value.detail.startswith(field + ":")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "much"}, "costs[0].amount"),
        ({"amount": 1e300}, "costs[0].amount"),
        ({"amount": float("nan")}, "costs[0].amount"),
        ({"currency": "leva"}, "costs[0].currency"),
        ({"year": 22}, "costs[0].year"),
        ({"up_to": 1.0}, "costs[0].up_to"),
        ({"kind": "per_unit"}, "costs[0].unit"),
        ({"kind": "running"}, "costs[0].period"),
        ({"what": {}}, "costs[0].what"),
    ],
)
def test_what_is_wrong_with_a_cost_is_named(changes: dict[str, Any], field: str) -> None:
    cost = document()["costs"][0] | changes
    with pytest.raises(BadRequestData) as caught:
        parse_card(document(costs=[cost]))
    assert caught.value.detail.startswith(field + ":")


def test_a_claim_names_an_account_that_is_there() -> None:
    claim = document()["claims"][0] | {"account": "mayor"}
    with pytest.raises(BadRequestData, match=r"^claims\[0\].account:"):
        parse_card(document(claims=[claim]))


def test_json_and_toml_are_read_and_nothing_else() -> None:
    assert read_document(json.dumps(document()).encode()) == document()
    toml = b'theme = "waste"\n[title]\nen = "Bins"\n'
    assert read_document(toml) == {"theme": "waste", "title": {"en": "Bins"}}
    for wrong in (b"[1, 2]", b'{"a": ', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000):
        with pytest.raises(InvalidRequest):
            read_document(wrong)
    with pytest.raises(PayloadTooLarge):
        read_document(b"x" * (1 << 18) + b"x")


def test_depth_and_count_are_bounded() -> None:
    deep: Any = "x"
    for _ in range(20):
        deep = {"a": deep}
    question = {"key": "a", "title": {"en": "x"}, "specification": {"deep": deep}}
    with pytest.raises(BadRequestData, match="nests too deep"):
        parse_card(document(questions=[question]))
    question["specification"] = {"many": [0] * 30_000}
    with pytest.raises(BadRequestData, match="more than"):
        parse_card(document(questions=[question]))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(document())), _JSON)
def test_a_field_of_any_shape_is_taken_or_named(field: str, value: Any) -> None:
    problem = None
    try:
        found = to_document(parse_card(document(**{field: value})))
        assert to_document(parse_card(found)) == found
    except Problem as caught:
        problem = caught
    if problem is not None:
        assert problem.status == 400
        assert field in problem.detail or problem.detail.startswith(("the card", "claims"))
