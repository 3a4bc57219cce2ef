"""`rynek survey`: from the file to the export, what is refused, and that backups hold answers."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

from click.testing import CliRunner, Result
from tests.indicators.survey.support import workbook

from rynek.base.folder import DataFolder
from rynek.cli.main import cli
from rynek.indicators import Surveys

LATER = "2099-12-31T23:59+01:00"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def well(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_a_survey_from_its_file_to_its_answers(tmp_path: Path) -> None:
    data, links = tmp_path / "data", tmp_path / "links.csv"
    folder = DataFolder(data)
    folder.open()
    folder.close()
    on = ("--data", data)
    people = tmp_path / "cities.csv"
    people.write_text("id,name,region\nruse,Русе,North\nlodz,Łódź,South\n", "utf-8")
    assert "small version 1: 6 questions in en, pl" in well("survey", "import", workbook(tmp_path / "form.xlsx"), *on)  # fmt: skip
    well("survey", "publish", "small", "--deadline", LATER, *on)
    assert "nobody is invited yet" in well("survey", "results", "small", *on)
    well("survey", "invite", "small", people, links, "--address", "https://rynek.example/", *on)
    assert links.stat().st_mode & 0o077 == 0
    with links.open(encoding="utf-8") as file:
        link = next(csv.DictReader(file))["link"]
    assert link.startswith("https://rynek.example/survey/")
    surveys = Surveys(data)
    surveys.save(link.rsplit("/", 1)[1], {"has": "no"}, revision=0, language="en", submit=True)
    surveys.close()
    missing = list(csv.DictReader(io.StringIO(well("survey", "list", "small", "--missing", *on))))
    assert [(row["id"], row["state"]) for row in missing] == [("lodz", "not begun")]
    inside = json.loads(well("survey", "results", "small", "--json", *on))
    assert (inside["answered"], inside["questions"][0]["choices"][1]["count"]) == (1, 1)
    assert json.loads(well("survey", "results", "small", "--json", "--public", *on))["answered"] is None  # fmt: skip
    well("survey", "export", "small", tmp_path / "out", *on)
    assert "ruse,Русе,North" in (tmp_path / "out" / "answers.csv").read_text("utf-8")
    well("backup", tmp_path / "all.tar", *on)
    with tarfile.open(tmp_path / "all.tar") as tar:
        assert "surveys.db" in tar.getnames()
    well("restore", tmp_path / "all.tar", "--data", tmp_path / "again")
    restored = Surveys(tmp_path / "again")
    assert [each.answers for each in restored.responses("small")] == [{}, {"has": "no"}]
    restored.close()


def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    wrong = workbook(tmp_path / "wrong.xlsx", ("text", "a", "A", "", "${a} = 1"))
    refused = run("survey", "import", wrong, "--data", data)
    assert refused.exit_code == 1
    assert "question 'a'" in str(refused.exception)
    assert not (data / "surveys.db").exists()
    well("survey", "import", workbook(tmp_path / "form.xlsx"), "--data", data)
    for deadline in ("tomorrow", "2099-01-01T00:00"):
        assert (
            run("survey", "publish", "small", "--deadline", deadline, "--data", data).exit_code == 2
        )
    well("survey", "publish", "small", "--deadline", LATER, "--data", data)
    people = tmp_path / "cities.csv"
    for rows in ("id,name\na,A\na,B\n", "name\nA\n", "id,name,region\n", ""):
        people.write_text(rows, "utf-8")
        result = run("survey", "invite", "small", people, tmp_path / "l.csv", "--address", "https://a.example", "--data", data)  # fmt: skip
        assert result.exit_code == 1
        assert "cities.csv" in str(result.exception)
    assert well("survey", "list", "small", "--data", data).splitlines() == [
        "id,name,region,state,saved"
    ]


def test_links_need_an_address_and_any_separator_is_found(tmp_path: Path) -> None:
    on = ("--data", tmp_path / "data")
    well("survey", "import", workbook(tmp_path / "form.xlsx"), *on)
    well("survey", "publish", "small", "--deadline", LATER, *on)
    people, links = tmp_path / "cities.csv", tmp_path / "links.csv"
    people.write_text("\ufeffid;name;region\nlodz;Łódź, the city;South\n", "utf-8")
    for words in ((), ("--address", "nonsense"), ("--address", "ftp://a.example")):
        refused = run("survey", "invite", "small", people, links, *words, *on)
        assert (refused.exit_code, links.exists()) == (2, False)
        assert "https://rynek.example" in refused.output
    config = tmp_path / "rynek.toml"
    config.write_text('[server]\npublic_url = "https://set.example/x"\n', "utf-8")
    well("survey", "invite", "small", people, links, *on, "--config", config)
    with links.open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert (row["name"], row["region"]) == ("Łódź, the city", "South")
    assert row["link"].startswith("https://set.example/x/survey/")
    people.write_text("city;name\nlodz;Łódź\n", "utf-8")
    refused = run("survey", "invite", "small", people, tmp_path / "l.csv", "--renew", *on, "--config", config)  # fmt: skip
    assert "no column 'id'; it has city, name" in str(refused.exception)
