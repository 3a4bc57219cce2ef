"""`rynek practice` on cards: what each command prints, writes, refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_cli import run, run_well, said
from tests.practices.cards.support import document


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "card.json").write_text(json.dumps(document()))
    return tmp_path


def test_a_card_is_added_shown_changed_removed_and_brought_back(folder: Path) -> None:
    data = ("--data", folder / "data")
    told = run_well("practice", "add", "streets", folder / "card.json", "--owner", "ruse", *data)
    assert told == "streets is at version 1, seen by: owner\n"
    assert "streets\t1\tdid_not\tstopped\towner\tBicycle streets" in run_well(
        "practice", "list", "--theme", "cycling", "--verdict", "did_not", *data
    )
    assert json.loads(run_well("practice", "show", "streets", *data))["card"] == document()
    assert run("practice", "show", "streets", "--public", *data).exit_code == 1
    toml = folder / "card.toml"
    toml.write_text(run_well("practice", "show", "streets", "--toml", *data))
    toml.write_text(toml.read_text().replace('status = "stopped"', 'status = "running"'))
    change = ("practice", "edit", "streets", toml, "--version", "1", "--who", "ana", *data)
    assert "version 2" in run_well(*change)
    late = run(*change)
    assert late.exit_code == 1
    assert "at version 2, not 1" in said(late)
    assert "public" in run_well(
        "practice", "edit", "streets", "--version", "2", "--door", "public", *data
    )
    assert "version 3 can be put back" in run_well(
        "practice", "remove", "streets", "--version", "3", "--note", "by mistake", *data
    )
    assert run("practice", "show", "streets", *data).exit_code == 1
    lines = run_well("practice", "history", "streets", *data).splitlines()
    assert [line.split("\t")[0] for line in lines] == ["4", "3", "2", "1"]
    assert lines[0].endswith("by mistake\tremoved")
    assert "version 5" in run_well(
        "practice", "history", "streets", "--restore", "1", "--version", "4", *data
    )
    shown = json.loads(run_well("practice", "show", "streets", "--public", *data))
    assert shown["card"]["status"] == "stopped"


def test_cards_move_between_folders(folder: Path) -> None:
    data = ("--data", folder / "data")
    run_well("practice", "add", "streets", folder / "card.json", "--owner", "ruse", *data)
    out = folder / "cards.jsonl"
    assert run_well("practice", "export", out, *data).startswith("7 cards")
    (folder / "other").mkdir()
    other = ("--data", folder / "other")
    bring = ("practice", "import", out)
    assert run_well(*bring, *other) == "1 added, 0 changed, 6 unchanged\n"
    assert run_well(*bring, *other) == "0 added, 0 changed, 7 unchanged\n"
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    lines[-1]["card"]["status"] = "planned"
    lines.append(lines[0] | {"id": "another"})
    out.write_text("\n".join(json.dumps(line) for line in lines))
    refused = run(*bring, *other)
    assert refused.exit_code == 1
    assert "--replace" in said(refused)
    assert run("practice", "show", "another", *other).exit_code == 1  # all or none
    assert run_well(*bring, "--replace", *other) == "1 added, 1 changed, 6 unchanged\n"
    public = folder / "public.jsonl"
    assert run_well("practice", "export", public, "--public", *data).startswith("6 cards")
    assert '"id": "streets"' not in public.read_text()


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"{", b"[1]", b'{"title": {"en": "x"}}', b"x" * (1 << 19)]
)
def test_what_is_no_card_is_refused_in_one_line(folder: Path, content: bytes) -> None:
    (folder / "wrong.json").write_bytes(content)
    for command in (("add", "wrong"), ("import",)):
        refused = run("practice", *command, folder / "wrong.json", "--data", folder / "data")
        assert refused.exit_code == 1
        assert "Traceback" not in said(refused)


def test_effects_are_computed_and_kept(folder: Path, data: Path) -> None:
    there = ("--data", folder / "data")
    told = run_well("practice", "answer", "london-congestion-charge", data, *there)
    assert "no2 (answer 1)" in told
    shown = json.loads(run_well("practice", "show", "london-congestion-charge", *there))
    assert shown["answers"]["no2"]["effect"] == pytest.approx(32.0, abs=0.1)
    (folder / "empty").mkdir()
    refused = run("practice", "answer", "london-congestion-charge", folder / "empty", *there)
    assert refused.exit_code == 1
    assert "there is no such file" in said(refused)


def test_a_theme_that_no_card_has_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for words in (("list",), ("search", "bins")):
        refused = run("practice", *words, "--theme", "wate", "--data", tmp_path / "data")
        assert refused.exit_code == 1
        assert "'wate': no card has it; there are " in str(refused.exception)
        assert "waste" in str(refused.exception)


def test_cards_about_an_indicator_are_listed_with_what_came_of_it(folder: Path) -> None:
    data = ("--data", folder / "data")
    asked = ("practice", "list", "--indicator", "no2-mean", "--population", "160000")
    lines = run_well(*asked, *data).splitlines()
    assert lines[0].startswith("grenoble-low-emission-zone\t2\tunclear\t")
    assert lines[1].startswith("london-congestion-charge\t2\tworse\t")
    told = json.loads(run_well(*asked, "--country", "fr", "--json", *data))
    assert told[0]["moved"]["same_country"] is True
    assert run("practice", "list", "--indicator", "noo", *data).exit_code == 1
    assert run("practice", "list", "--country", "FR", *data).exit_code == 2
    assert run(*asked, "--theme", "air", *data).exit_code == 2
