"""Answers: what applies, what is calculated, what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.indicators.survey.support import survey

from rynek.indicators.survey.answering import MAX_ENTRIES, State, read_answers
from rynek.indicators.survey.model import Survey

TODAY = "2026-11-26"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return survey(tmp_path_factory.mktemp("form"))


def test_what_does_not_apply_does_not_count(small: Survey) -> None:
    answers = {"has": "yes", "year": "2010", "project": [{"title": "A", "cost": "120", "why": "x"}, {"title": "B", "cost": "2", "why": "y"}]}  # fmt: skip
    state = State(small, answers, TODAY)
    assert state.faults() == []
    assert state.final() == {
        "has": "yes", "year": "2010", "total": "122",
        "project": [{"title": "A", "cost": "120", "why": "x"}, {"title": "B", "cost": "2"}],
    }  # fmt: skip
    assert State(small, answers | {"has": "no"}, TODAY).final() == {"has": "no"}


@pytest.mark.parametrize(
    ("answers", "faults"),
    [
        ({}, [("has", "required")]),
        ({"has": "maybe"}, [("has", "choice")]),
        ({"has": "yes"}, [("year", "required")]),
        ({"has": "yes", "year": "19x"}, [("year", "integer")]),
        ({"has": "yes", "year": "1999.5"}, [("year", "integer")]),
        ({"has": "yes", "year": "1900"}, [("year", "constraint")]),
        ({"has": "yes", "year": "2010", "which": "yes no"}, [("which", "constraint")]),
        ({"has": "yes", "year": "2010", "which": "yes yes"}, [("which", "choice")]),
        ({"has": "yes", "year": "2010", "project": [{"cost": "1e9"}]}, [("title", "required"), ("cost", "decimal")]),
        ({"has": "no", "year": "nonsense"}, []),
    ],
)  # fmt: skip
def test_faults(small: Survey, answers: dict[str, str], faults: list[tuple[str, str]]) -> None:
    found = State(small, answers, TODAY).faults()
    assert [(fault.name, fault.code) for fault in found] == faults


def test_a_sent_section(small: Survey) -> None:
    needs = small.places["needs"][0]
    sent = {"which": ["no"], "project.entries": ["2"], "project.0.title": [" A "], "project.1.cost": ["1 234,5"], "has": ["yes"], "project.7.title": ["?"]}  # fmt: skip
    assert read_answers(small, sent, needs) == {
        "which": "no",
        "project": [{"title": "A", "cost": "", "why": ""}, {"title": "", "cost": "1234.5", "why": ""}],
    }  # fmt: skip
    many = read_answers(small, {"project.entries": ["999"]}, needs)
    assert len(many["project"]) == MAX_ENTRIES


_values = st.text(max_size=12) | st.sampled_from(["yes", "no", "2010", "1e5", "-1", "yes no"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answers=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("has", "year", "which", "title"), _values)
        | {"project": st.lists(st.dictionaries(st.sampled_from(["title", "cost", "why"]), _values), max_size=3)},
    )
)  # fmt: skip
def test_whatever_is_answered_what_counts_stays_so(small: Survey, answers: dict[str, str]) -> None:
    state = State(small, answers, TODAY)
    final = state.final()
    again = State(small, final, TODAY)
    assert again.final() == final
    assert {fault.code for fault in again.faults()} == {fault.code for fault in state.faults()}
