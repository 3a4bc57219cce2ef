"""Waves, links, answers, results and exports."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from tests.indicators.survey.support import survey

from rynek.base.clock import MICRO, Clock
from rynek.base.errors import AlreadyExists, BadRequestData, Conflict, ResourceNotFound
from rynek.indicators import Respondent, Surveys, results, write_export
from rynek.indicators.survey.results import weights
from rynek.indicators.survey.store import Response

NOW = 1_790_000_000 * MICRO


class Hand(Clock):
    at = NOW

    def now(self) -> int:
        return self.at


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def surveys(tmp_path: Path, clock: Hand) -> Surveys:
    store = Surveys(tmp_path, clock)
    store.put(survey(tmp_path))
    store.publish("small", NOW + 100)
    return store


def answer(store: Surveys, token: str, **answers: object) -> None:
    store.save(token, answers, revision=0, language="pl", submit=True)


def test_save_and_go_on_then_send_once(surveys: Surveys, clock: Hand) -> None:
    token = surveys.invite("small", [Respondent("ruse", "Ruse", "N")])["ruse"]
    assert surveys.open(token).response.answers == {}
    surveys.save(token, {"has": "yes"}, revision=0, language="pl")
    assert surveys.open(token).response.answers == {"has": "yes"}
    with pytest.raises(Conflict) as refused:
        surveys.save(token, {"has": "no"}, revision=0, language="pl")
    assert refused.value.extra["reason"] == "revision"
    with pytest.raises(BadRequestData, match="not sent yet"):
        surveys.save(token, {"has": "yes"}, revision=1, language="pl", submit=True)
    sent = surveys.save(
        token, {"has": "no", "year": "2001"}, revision=1, language="pl", submit=True
    )
    assert (sent.answers, sent.submitted) == ({"has": "no"}, NOW)
    with pytest.raises(Conflict) as refused:
        surveys.save(token, {"has": "yes"}, revision=2, language="pl")
    assert refused.value.extra["reason"] == "submitted"


def test_after_the_deadline(surveys: Surveys, clock: Hand) -> None:
    token = surveys.invite("small", [Respondent("ruse", "Ruse")])["ruse"]
    clock.at += 101
    with pytest.raises(Conflict, match="answers were taken until") as refused:
        answer(surveys, token, has="no")
    assert refused.value.extra["reason"] == "deadline"
    surveys.publish("small", NOW + 500)
    answer(surveys, token, has="no")


def test_tokens_are_kept_as_hashes_and_renewed(surveys: Surveys, tmp_path: Path) -> None:
    token = surveys.invite("small", [Respondent("ruse", "Ruse")])["ruse"]
    with pytest.raises(AlreadyExists):
        surveys.invite("small", [Respondent("varna", "Varna"), Respondent("ruse", "Ruse")])
    assert [one.respondent.id for one in surveys.responses("small")] == ["ruse"]
    surveys.close()
    assert token.encode() not in (tmp_path / "surveys.db").read_bytes()
    with pytest.raises(ResourceNotFound, match="'varna'"):
        surveys.renew_all("small", ["ruse", "varna"])
    assert surveys.open(token).response.respondent.id == "ruse", "all or none"
    again = surveys.renew("small", "ruse")
    for wrong in (token, "", "x" * 10_000, "\udcff"):
        with pytest.raises(ResourceNotFound):
            surveys.open(wrong)
    assert surveys.open(again).response.respondent.name == "Ruse"


def test_a_version_stays_once_it_is_answered(surveys: Surveys, tmp_path: Path) -> None:
    token = surveys.invite("small", [Respondent("ruse", "Ruse")])["ruse"]
    assert surveys.put(survey(tmp_path)) == (1, False)
    assert surveys.put(survey(tmp_path, ("text", "has", "Other"))) == (2, True)
    surveys.save(token, {"has": "no"}, revision=0, language="pl")
    assert surveys.publish("small", NOW + 50).version == 1
    assert surveys.publish("small", NOW + 50, wave_id="next").version == 2
    with pytest.raises(BadRequestData, match="passed already"):
        surveys.publish("small", NOW - 5, wave_id="late")


def filled(surveys: Surveys) -> list[Response]:
    people = [Respondent(f"{region}{n}", f"{region} {n}", region) for region in "NSW" for n in range(10)]  # fmt: skip
    tokens = surveys.invite("small", people)
    for n, one in enumerate(people):
        if one.region == "N" or (one.region == "S" and n % 2) or one.id == "W0":
            if n % 3:
                answer(surveys, tokens[one.id], has="yes", year=str(1995 + n), which="no", project=[{"title": "=1+1", "cost": "2.5"}])  # fmt: skip
            else:
                answer(surveys, tokens[one.id], has="no")
    return list(surveys.responses("small"))


def test_rates_weights_and_small_cells(surveys: Surveys) -> None:
    responses = filled(surveys)
    asked, _ = surveys.survey("small")
    weight = weights(responses)
    assert (weight["N0"], weight["S1"], weight["W0"]) == (1.0, 2.0, 10.0)
    assert sum(weight.values()) == pytest.approx(30)
    inside = results(asked, responses, public=False)
    assert [(row["answered"], row["rate"]) for row in inside["regions"]] == [(10, 1.0), (5, 0.5), (1, 0.1)]  # fmt: skip
    public = results(asked, responses, public=True)
    # W has one answer; S is hidden beside it, or W would follow from the total.
    assert [row["answered"] for row in public["regions"]] == [10, None, None]
    has = {each["name"]: each for each in public["questions"]}["has"]["choices"]
    assert [(each["name"], each["count"]) for each in has] == [("yes", 11), ("no", 5)]
    assert has[0]["weighted"] != has[0]["share"]
    assert inside["weighting"]["design_effect"] > 1


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_exports(surveys: Surveys, tmp_path: Path, kind: str) -> None:
    responses = filled(surveys)
    asked, _ = surveys.survey("small")
    paths = write_export(asked, responses, tmp_path / "out", kind)  # type: ignore[arg-type]
    names = {path.name for path in paths}
    if kind == "xlsx":
        book = openpyxl.load_workbook(paths[0])
        assert book.sheetnames == ["answers", "project", "codebook"]
        assert book["project"]["C2"].value == "'=1+1"
        assert book["answers"].max_row == 17
    elif kind == "parquet":
        answers = pq.read_table(tmp_path / "out" / "answers.parquet")
        assert answers.num_rows == 16
        assert answers["which/no"].to_pylist().count(1.0) == 7
    else:
        assert names == {"answers.csv", "project.csv", "codebook.csv"}
        with (tmp_path / "out" / "codebook.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        told = [row for row in rows if row["column"] == "has"]
        assert [row["choice (pl)"] for row in told] == ["", "Tak", "Nie"]
        with (tmp_path / "out" / "answers.csv").open(encoding="utf-8") as file:
            first = next(row for row in csv.DictReader(file) if row["respondent"] == "N7")
        assert (first["has"], first["year"], first["which/yes"]) == ("yes", "2002", "0")
