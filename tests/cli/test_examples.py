"""The commands of docs/surveys.md, as written, one after the other."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from rynek.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]


def test_the_survey_of_the_documentation_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the files in the repository alone, up to figures that respondents confirm."""
    page = (ROOT / "docs" / "surveys.md").read_text(encoding="utf-8")
    enter, *lines = page.split("```\n")[1].splitlines()
    assert enter.startswith("cd docs/")
    folder = tmp_path / "example"
    shutil.copytree(ROOT / enter.removeprefix("cd "), folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RYNEK_DATA_PATH", str(tmp_path / "data"))
    told = {}
    for line in lines:
        words = shlex.split(line.partition(">")[0])
        assert words.pop(0) == "rynek"
        answer = CliRunner().invoke(cli, words)
        assert answer.exit_code == 0, (line, answer.output)
        told[words[1]] = answer.output
    assert told["measure"].startswith("2 figures for 2 of 3 respondents")
    assert "http://127.0.0.1:8026/survey/" in told["list"]
    assert (folder / "answers" / "smart-strategy.xlsx").is_file()
