"""Forms and answers that somebody made wrong on purpose: an answer within bounds, or a refusal."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.indicators.survey.support import HEAD, survey, workbook

from rynek.base.clock import MICRO, Clock
from rynek.base.errors import BadRequestData, Conflict, Problem
from rynek.indicators import (
    Respondent,
    State,
    Survey,
    Surveys,
    read_answers,
    read_workbook,
    results,
)
from rynek.indicators.survey.checking import check_survey
from rynek.indicators.survey.model import Choice, Element
from rynek.indicators.survey.reading import survey_of

NOW = 1_790_000_000 * MICRO
LABEL = HEAD[2]
_NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
_EXPRESSIONS = st.one_of(
    st.builds("${{{}}} = 'yes'".format, _NAMES),
    st.builds("selected(${{{}}}, 'no') and ${{{}}} > 3".format, _NAMES, _NAMES),
    st.builds("regex(${{{}}}, '(a+)+$')".format, _NAMES),
    st.sampled_from(["", "", "1 = 1", "${", "not(", "((((((", "sum(1,", ". > 3", "'", "99999999999999999999", "1 div 0", "${a}${b}"]),
    st.text(max_size=20),
)  # fmt: skip
_TYPES = st.sampled_from(["text", "integer", "select_one yn", "select_multiple yn", "select_one nowhere", "note", "calculate", "begin_group", "end_group", "begin_repeat", "end_repeat", "image", "", "rank yn", "acknowledge", "date"])  # fmt: skip
_ROW = st.fixed_dictionaries(
    {
        "type": _TYPES,
        "name": st.one_of(_NAMES, _NAMES, st.text(max_size=8)),
        LABEL: st.text(max_size=8),
        "relevant": _EXPRESSIONS,
        "constraint": _EXPRESSIONS,
        "calculation": _EXPRESSIONS,
        "required": st.sampled_from(["", "yes", "no", "${a}"]),
    }
)
_CHOICES = [{"list_name": "yn", "name": name, LABEL: name} for name in ("yes", "no")]


@given(st.lists(_ROW, min_size=1, max_size=6))
@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_form_is_read_or_refused_and_what_is_read_can_be_answered(rows: list[Any]) -> None:
    sheets = {"survey": rows, "choices": _CHOICES, "settings": [{"form_id": "fuzz"}]}
    try:
        found = survey_of({name: [dict(row) for row in sheet] for name, sheet in sheets.items()})
    except BadRequestData as problem:
        told = problem.detail
    else:
        check_answers(found)
        return
    assert 0 < len(told) < 1_000


def check_answers(found: Survey) -> None:
    names = [each.name for each, _ in found.walk()]
    assert len(set(names)) == len(names)
    for answers in ({}, dict.fromkeys(names, "yes"), dict.fromkeys(names, "9" * 400)):
        state = State(found, answers, "2026-01-01")
        state.faults()
        assert set(state.final()) <= set(names)


_VALUE = st.one_of(st.text(max_size=30), st.sampled_from(["yes", "no", "yes no", "yes yes", "1e999", "-0", "nan", "inf", "2010", "\x00", "9" * 12_000, "2,5", "٣"]))  # fmt: skip


@given(
    st.dictionaries(
        st.one_of(
            st.sampled_from(["has", "year", "which", "project.entries", "project.0.title", "project.0.cost", "project.1.why", "total", "has~told", "strategy"]),
            st.text(max_size=12),
        ),
        st.lists(_VALUE, max_size=3),
        max_size=8,
    )
)  # fmt: skip
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_answers_are_kept_or_named(small: Survey, sent: dict[str, list[str]]) -> None:
    answers: dict[str, Any] = {}
    for section in small.elements:
        answers |= read_answers(small, sent, section)
    state = State(small, answers, "2026-01-01")
    for fault in state.faults():
        assert fault.name in small.places
    final = state.final()
    assert set(final) <= {"has", "year", "which", "project", "total"}
    if not state.faults():
        assert final["has"] in ("yes", "no")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return survey(tmp_path_factory.mktemp("form"))


def row(kind: str, name: str, **given: str) -> tuple[str, ...]:
    cells = dict.fromkeys(HEAD, "") | {"type": kind, "name": name, LABEL: name} | given
    return tuple(cells.values())


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ((row("text", "a", relevant="${b} = 1"), row("text", "b", relevant="${c} = 1"), row("text", "c", relevant="${a} = 1")), "needs"),
        ((row("begin_group", "g", relevant="${a} = 1"), row("text", "a"), row("end_group", "")), "needs"),
        ((row("text", "a"), row("begin_group", "g"), row("text", "a"), row("end_group", "")), "'a': the name stands twice"),
        ((row("text", "a", constraint="regex(., '(')"),), "constraint"),
        ((row("text", "a", relevant="${nobody} = 1"),), "nobody"),
        ((row("text", "a", constraint="(" * 500 + "1" + ")" * 500),), "constraint"),
        ((row("text", "a", calculation="1"),), "'a'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_question(
    tmp_path: Path, rows: tuple[Any, ...], says: str
) -> None:
    with pytest.raises(BadRequestData) as refused:
        survey(tmp_path, *rows)
    assert says in refused.value.detail


def test_a_hostile_pattern_takes_no_time(tmp_path: Path) -> None:
    asked = survey(tmp_path, row("text", "a", constraint="regex(., '^(a+)+$')"))
    before = time.process_time()
    assert State(asked, {"a": "a" * 9_000 + "!"}, "2026-01-01").faults()
    assert time.process_time() - before < 5


def test_too_many_choices_and_questions_are_refused_at_once() -> None:
    listed = tuple(Choice(f"c{n}", {"en": "C"}) for n in range(10_001))
    page = Element("p", "section", children=(Element("q", "one", {"en": "Q"}, choices="l"),))
    many = Survey("many", {"en": "M"}, "1", ("en",), (page,), {"l": listed})
    with pytest.raises(BadRequestData, match="10000 choices"):
        check_survey(many)
    every = tuple(Element(f"q{n}", "text", {"en": "Q"}) for n in range(2_001))
    long = Survey("long", {"en": "M"}, "1", ("en",), (Element("p", "section", children=every),))
    with pytest.raises(BadRequestData, match="2000 questions"):
        check_survey(long)


@given(st.binary(max_size=400), st.integers(0, 5_000), st.integers(0, 255))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_damaged_file_is_refused(whole: bytes, junk: bytes, at: int, byte: int) -> None:
    broken = bytearray(whole)
    broken[at % len(broken)] = byte
    for body in (junk, whole[: at % len(whole)], bytes(broken)):
        with suppress(BadRequestData):
            assert read_workbook(body).elements


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return workbook(tmp_path_factory.mktemp("form") / "f.xlsx").read_bytes()


class Hand(Clock):
    at = NOW

    def now(self) -> int:
        return self.at


def test_the_same_token_twice_and_after_the_deadline(tmp_path: Path, small: Survey) -> None:
    """Of two windows that send one set stays, whole; nothing is taken after the end."""
    clock = Hand()
    surveys = Surveys(tmp_path, clock)
    surveys.put(small)
    surveys.publish("small", NOW + 100)
    token, late = surveys.invite("small", [Respondent("a", "A"), Respondent("b", "B")]).values()
    surveys.save(token, {"has": "no"}, revision=0, language="en", submit=True)
    for revision in (0, 1):
        with pytest.raises(Conflict) as refused:
            surveys.save(
                token, {"has": "yes", "year": "2001"}, revision=revision, language="en", submit=True
            )
        assert refused.value.extra["reason"] == "submitted"
    surveys.save(late, {"has": "yes"}, revision=0, language="en")
    clock.at = NOW + 101
    with pytest.raises(Problem, match="answers were taken until"):
        surveys.save(late, {"has": "no"}, revision=1, language="en", submit=True)
    first, second = surveys.responses("small")
    assert (first.answers, second.answers, second.submitted) == (
        {"has": "no"},
        {"has": "yes"},
        None,
    )
    asked, _ = surveys.survey("small")
    assert results(asked, [first, second], public=False)["answered"] == 1
