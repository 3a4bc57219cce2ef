"""Any course of writes, and any question about the past, answers as a plain model of the clauses."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Ask
from .models import (
    ID,
    METHODS,
    NULL,
    EntityModel,
    Question,
    Reading,
    Series,
    Step,
    instances,
    series,
)

SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=20)
ATTRS: Final = st.sampled_from(["a", "b"])
DATASETS: Final = st.sampled_from([None, "urn:d:1", "urn:d:2"])
NUMBERS: Final = st.integers(0, 9)
SUB: Final = st.builds(lambda value: {"type": "Property", "value": value}, NUMBERS)


def _instance(value: Any, dataset: str | None, more: dict[str, Any]) -> dict[str, Any]:
    made = {"type": "Property", "value": value} | (more if value != NULL else {})
    return made if dataset is None else made | {"datasetId": dataset}


def _whole(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Instances with a value of these."""
    more = st.fixed_dictionaries(
        {}, optional={"unitCode": st.just("C62"), "observedAt": st.just(_time(0)), "sub": SUB}
    )
    return st.builds(_instance, values, DATASETS, more)


def _attributes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(
        _whole(values), min_size=1, max_size=2, unique_by=lambda one: one.get("datasetId")
    )
    return st.dictionaries(ATTRS, several, min_size=1, max_size=2)


def _time(minute: int) -> str:
    return f"2020-01-01T00:{minute:02d}:00Z"


ENTITIES: Final = st.builds(lambda attrs: {"id": ID, "type": "Thing"} | attrs, _attributes(NUMBERS))
PARTS: Final = st.fixed_dictionaries(
    {"value": NUMBERS},
    optional={"unitCode": st.sampled_from(["X", NULL]), "sub": SUB | st.just(NULL)},
)


def _steps(verbs: list[str], bodies: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.sampled_from(verbs), ATTRS, DATASETS, bodies)


def _partial(step: Step) -> Step:
    if step.dataset is None:
        return step
    return step._replace(body=step.body | {"datasetId": step.dataset})


STEPS: Final = st.one_of(
    _steps(["create", "create", "replace"], ENTITIES),
    _steps(["append", "append_new"], _attributes(NUMBERS)),
    _steps(["update", "merge"], _attributes(NUMBERS | st.just(NULL))),
    _steps(["partial"], PARTS).map(_partial),
    _steps(["replace_attr"], _whole(NUMBERS)).map(
        lambda step: step._replace(dataset=step.body.get("datasetId"))
    ),
    _steps(["delete_attr", "delete_all", "delete"], st.none()),
)


@SLOW
@given(st.builds(Step, st.just("create"), ATTRS, DATASETS, ENTITIES), st.lists(STEPS, max_size=12))
def test_any_course_of_writes(ask: Ask, first: Step, steps: list[Step]) -> None:
    """§5.6.1 - §5.6.6, §5.6.17 - §5.6.19, with instances by dataset and Nulls."""
    ask("DELETE", f"entities/{ID}", tenant="model")
    model = EntityModel()
    for step in (first, *steps):
        answer = ask(*step.request(), tenant="model")
        assert answer.status_code == model.write(step), answer.text
        shown = ask("GET", f"entities/{ID}", tenant="model")
        if shown.status_code == 404:
            assert model.shown() is None
        else:
            document = shown.json()
            assert (document.pop("id"), document.pop("type")) == (ID, "Thing")
            assert instances(document) == model.shown()


READINGS: Final = st.lists(
    st.builds(Reading, ATTRS, st.sampled_from([None, "urn:d:1"]), st.integers(0, 59).map(_time),
              NUMBERS),
    min_size=1, max_size=12, unique_by=lambda one: one[:3],
)  # fmt: skip
QUESTIONS: Final = st.builds(
    lambda timerel, first, length, last: Question(
        timerel, _time(first), _time(first + length), last
    ),
    st.sampled_from([None, "before", "after", "between"]),
    st.integers(0, 29),
    st.integers(1, 30),
    st.sampled_from([None, 1, 2]),
)


def _told(readings: list[Reading]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for one in readings:
        made = _instance(one.value, one.dataset, {"observedAt": one.time})
        body.setdefault(one.attr, []).append(made)
    return body


def _pairs(document: dict[str, Any], member: str) -> Series:
    found: Series = {}
    for name in document.keys() - {"id", "type"}:
        parts = document[name] if isinstance(document[name], list) else [document[name]]
        for part in parts:
            found[name, part.get("datasetId")] = part[member]
    return found


@settings(SLOW, max_examples=8)
@given(READINGS, READINGS, st.integers(0, 99), st.lists(QUESTIONS, min_size=1, max_size=4))
def test_any_question_about_any_past(
    ask: Ask, first: list[Reading], second: list[Reading], chosen: int, asked: list[Question]
) -> None:
    """§5.6.11, §5.6.12, §5.6.14, §5.6.15, §5.7.3 with §4.11, §4.5.9 and §4.5.19."""
    path = f"temporal/entities/{ID}"
    ask("DELETE", path, tenant="past")
    body = {"id": ID, "type": "Thing"}
    assert ask("POST", "temporal/entities", body | _told(first), "past").status_code == 201
    fresh = [one for one in second if one[:3] not in {old[:3] for old in first}]
    if fresh:
        assert ask("POST", f"{path}/attrs", _told(fresh), "past").status_code == 204
    held = [*first, *fresh]
    held = _changed(ask, path, held, held[chosen % len(held)], delete=chosen % 2 == 0)
    for question in asked:
        params = question.params()
        answer = ask("GET", f"{path}?format=temporalValues&{params}", tenant="past")
        assert _pairs(answer.json(), "values") == series(held, question)
        _check_aggregates(ask, path, question, held)


def _changed(
    ask: Ask, path: str, held: list[Reading], one: Reading, *, delete: bool
) -> list[Reading]:
    """Delete or modify one instance by its instanceId; what is held then."""
    document = ask("GET", path, tenant="past").json()[one.attr]
    listed = document if isinstance(document, list) else [document]
    [instance] = [
        it["instanceId"]
        for it in listed
        if (it.get("datasetId"), it["observedAt"]) == (one.dataset, one.time)
    ]
    at = f"{path}/attrs/{one.attr}/{instance}"
    rest = [other for other in held if other is not one]
    if delete:
        assert ask("DELETE", at, tenant="past").status_code == 204
        assert ask("DELETE", at, tenant="past").status_code == 404
        return rest
    new = one._replace(value=one.value + 100)
    assert ask("PATCH", at, _told([new]), "past").status_code == 204
    return [*rest, new]


def _check_aggregates(ask: Ask, path: str, question: Question, held: list[Reading]) -> None:
    whole = question._replace(last=None)
    wanted = {key: [value for value, _ in pairs] for key, pairs in series(held, whole).items()}
    methods = ",".join(METHODS)
    answer = ask(
        "GET", f"{path}?format=aggregatedValues&aggrMethods={methods}&{whole.params()}",
        tenant="past",
    )  # fmt: skip
    for method, make in METHODS.items():
        got = {key: value[0][0] for key, value in _pairs(answer.json(), method).items()}
        assert {key: round(value, 6) for key, value in got.items()} == {
            key: round(make(values), 6) for key, values in wanted.items()
        }
