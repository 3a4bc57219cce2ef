"""/api/surveys/v1: what everybody sees of a wave, and what takes an admin's token."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from tests.indicators.survey.support import workbook
from tests.web.surveys.test_surveys import FAR, serve

from rynek.indicators import Respondent
from rynek.web import TokenStore
from rynek.web.surveys.description import description

__all__ = ["serve"]

API = "/api/surveys/v1"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Serve = Callable[..., None]


def signed(folder: Path, scope: str = "admin") -> dict[str, str]:
    secret = TokenStore(folder / "data" / "system.db").create(scope.replace(":", "-"), (scope,))
    return {"Authorization": f"Bearer {secret}"}


def fill(surveys: Any) -> None:
    people = [Respondent(f"{region}{n}", "=X", region) for region in "NS" for n in range(9)]
    tokens = surveys.invite("small", people)
    for n, one in enumerate(people[:12]):
        given = {"has": "no"} if n % 2 else {"has": "yes", "year": str(1995 + n)}
        surveys.save(tokens[one.id], given, revision=0, language="en", submit=True)


def test_everybody_reads_public_results_once_they_are_over(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        fill(surveys)
        waves = (await client.get(f"{API}/waves")).json()["waves"]
        assert [(one["id"], one["results"], one["over"]) for one in waves] == [("small", "public", False)]  # fmt: skip
        found = (await client.get(f"{API}/waves/small/results")).json()
        assert (found["answered"], found["questions"]) == (12, [])
        # 3 of S, and N beside it, or S would follow from the 12.
        assert [one["answered"] for one in found["regions"]] == [None, None]
        surveys.publish("small", 1, results="public")
        found = (await client.get(f"{API}/waves/small/results")).json()
        assert found["wave"]["over"] is True
        has = next(one for one in found["questions"] if one["name"] == "has")
        assert [(each["name"], each["count"]) for each in has["choices"]] == [("yes", 6), ("no", 6)]
        table = await client.get(f"{API}/waves/small/results?format=csv&language=pl")
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert [(r["part_text"], r["count"]) for r in rows if r["question"] == "has"] == [("Tak", "6"), ("Nie", "6")]  # fmt: skip
        assert table.headers["content-type"].startswith("text/csv")
        surveys.publish("small", FAR, results="closed")
        assert (await client.get(f"{API}/waves")).json() == {"waves": []}
        for path in ("", "/results"):
            answer = await client.get(f"{API}/waves/small{path}")
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"

    serve(test)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/surveys"),
        ("GET", "/surveys/small"),
        ("POST", "/surveys"),
        ("PUT", "/waves/small"),
        ("GET", "/waves/small/respondents"),
        ("POST", "/waves/small/respondents"),
        ("GET", "/waves/small/results?whole=true"),
        ("GET", "/waves/small/results?whole=1"),
        ("DELETE", "/waves/small"),
        ("GET", "/waves/small/nothing"),
    ],
)
def test_the_rest_takes_an_admins_token(
    serve: Serve, tmp_path: Path, method: str, path: str
) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        del surveys
        bare = await client.request(method, API + path, json={})
        assert bare.status_code == 401
        assert bare.headers["www-authenticate"].startswith("Bearer")
        for scope in ("write", "admin:brno"):
            refused = await client.request(method, API + path, headers=signed(tmp_path, scope))
            assert refused.status_code == 403
            assert refused.headers["content-type"] == "application/problem+json"

    # Who may write without a token does not run surveys either.
    serve(test, access__anonymous="write")


def test_an_admin_imports_publishes_invites_and_reminds(serve: Serve, tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        client.headers.update(signed(tmp_path))
        body = workbook(tmp_path / "again.xlsx").read_bytes()
        kind = {"Content-Type": XLSX}
        made = await client.post(f"{API}/surveys?id=again", content=body, headers=kind)
        assert (made.status_code, made.json()["version"]) == (201, 1)
        same = await client.post(f"{API}/surveys?id=again", content=body, headers=kind)
        assert (same.status_code, same.json()["new"]) == (200, False)
        assert {"id": "again", "version": 1} in (await client.get(f"{API}/surveys")).json()["surveys"]  # fmt: skip
        sections = (await client.get(f"{API}/surveys/again")).json()["survey"]["elements"]
        assert [one["name"] for one in sections] == ["strategy", "needs"]
        wave = {"survey": "again", "deadline": "2096-07-01T20:00", "zone": "Europe/Warsaw"}
        told = (await client.put(f"{API}/waves/summer", json=wave)).json()
        assert (told["deadline"], told["zone"]) == ("2096-07-01T18:00:00Z", "Europe/Warsaw")
        people = {"respondents": [{"id": "ruse", "name": "=Ruse", "region": "N"}, {"id": "varna"}]}
        links = (await client.post(f"{API}/waves/summer/respondents", json=people)).json()["links"]
        page = await client.get(links[0]["link"])
        assert page.status_code == 200
        assert re.search(r"(20|8):00(\s?PM)? \(Europe/Warsaw\)", page.text)
        twice = await client.post(f"{API}/waves/summer/respondents", json=people)
        assert twice.status_code == 409
        again = {"respondents": [{"id": "ruse"}], "renew": True}
        new = (await client.post(f"{API}/waves/summer/respondents", json=again)).json()["links"]
        assert (await client.get(links[0]["link"])).status_code == 404
        token = new[0]["link"].rpartition("/")[2]
        surveys.save(token, {"has": "no"}, revision=0, language="en", submit=True)
        query = f"{API}/waves/summer/respondents?missing=true"
        rows = (await client.get(query)).json()["respondents"]
        assert [(row["id"], row["state"]) for row in rows] == [("varna", "not begun")]
        assert (await client.get(query + "&format=csv")).text.splitlines()[1] == "varna,varna,,not begun,"  # fmt: skip
        every = await client.get(f"{API}/waves/summer/respondents?format=csv")
        assert "'=Ruse" in every.text
        whole = (await client.get(f"{API}/waves/summer/results?whole=true")).json()
        assert (whole["answered"], whole["small"]) == (1, 0)

    serve(test)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/waves/small", {"survey": "small", "deadline": "tomorrow"}, "deadline 'tomorrow'"),
        ("/waves/small", {"survey": "small", "deadline": "2096-01-01T00:00"}, "distance from UTC"),
        ("/waves/small", {"survey": "small", "deadline": "2096-01-01T00:00", "zone": "../x"}, "zone '../x'"),
        ("/waves/small", {"survey": "small", "deadline": "2027-03-28T02:30", "zone": "Europe/Kyiv"}, ""),
        ("/waves/small", {"survey": "small", "deadline": "2027-03-28T03:30", "zone": "Europe/Kyiv"}, "clocks in Europe/Kyiv change"),
        ("/waves/small", {"survey": "small", "deadline": "2096-01-01T00:00+05:00", "zone": "Europe/Kyiv"}, "write that"),
        ("/waves/small", {"survey": "small", "deadline": "2096-01-01T00:00Z", "result": "public"}, "result: is no member"),
        ("/waves/small", {"survey": "small", "deadline": "2096-01-01T00:00Z", "results": 1}, "closed or public"),
        ("/waves/Not a name", {"survey": "small", "deadline": "2096-01-01T00:00Z"}, "small letters"),
        ("/waves/other", {"survey": "none", "deadline": "2096-01-01T00:00Z"}, "no survey 'none'"),
        ("/waves/small/respondents", {"respondents": []}, "a list of 1 to"),
        ("/waves/small/respondents", {"respondents": [{"id": "a"}, {"id": "a"}]}, "respondents[1].id"),
        ("/waves/small/respondents", {"respondents": [{"id": "a", "mail": "x"}]}, "respondents[0]"),
        ("/waves/none/respondents", {"respondents": [{"id": "a"}]}, "no survey 'none'"),
        ("/surveys", {"a": 1}, "Content-Type"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    serve: Serve, tmp_path: Path, path: str, body: Any, says: str
) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        method = "PUT" if path.count("/") == 2 else "POST"
        answer = await client.request(method, API + path, json=body, headers=signed(tmp_path))
        if not says:
            assert answer.status_code == 200
            return
        assert answer.status_code in (400, 404)
        assert says in answer.json()["detail"]
        assert not list(surveys.responses("small"))

    serve(test)


def test_a_body_that_is_no_form_and_one_with_a_mistake(serve: Serve, tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        headers = signed(tmp_path) | {"Content-Type": XLSX}
        wrong = workbook(tmp_path / "w.xlsx", ("text", "a", "A", "A"), ("text", "a", "B", "B"))
        for body, says in ((b"", "no .xlsx file"), (b"PK\x03\x04" * 99, "no .xlsx file"), (wrong.read_bytes(), "'a'")):  # fmt: skip
            answer = await client.post(f"{API}/surveys", content=body, headers=headers)
            assert answer.status_code == 400
            assert says in answer.json()["detail"]
        assert [name for name, _ in surveys.surveys()] == ["small"]
        other = headers | {"Authorization": headers["Authorization"].replace("Bearer", "Basic")}
        assert (await client.post(f"{API}/surveys", content=b"", headers=other)).status_code == 401

    serve(test)


def test_the_page_offers_downloads_and_a_frame(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        fill(surveys)
        frame = await client.get("/surveys/small/embed")
        assert "frame-ancestors 'self' *" in frame.headers["content-security-policy"]
        assert "Have you a strategy?" not in frame.text
        surveys.publish("small", 1, results="public")
        frame = await client.get("/surveys/small/embed")
        assert "Have you a strategy?" in frame.text
        page = await client.get("/surveys/small")
        assert "/surveys/small/embed?lang=en" in page.text
        assert "frame-ancestors 'self' *" not in page.headers["content-security-policy"]
        assert (await client.get("/surveys/small/results.json")).json()["answered"] == 12
        assert "has,Have you a strategy?,one,12,yes,Yes,6" in (await client.get("/surveys/small/results.csv")).text  # fmt: skip
        surveys.publish("small", FAR)
        for path in ("", "/embed", "/results.csv", "/results.json"):
            assert (await client.get(f"/surveys/small{path}")).status_code == 404

    serve(test)


def test_the_description_is_one(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        del surveys
        found = (await client.get(f"{API}/openapi.json")).json()
        assert found == description(API)
        schemathesis.openapi.from_dict(found).validate()

    serve(test)
