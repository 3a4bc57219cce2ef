"""The demo's survey: the same answers in each demo, made once, gone on with after a kill."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from rynek.demo import OPEN_WAVE, PAST_WAVE, install, make_surveys
from rynek.indicators import Surveys


def answered(folder: Path) -> dict[str, Any]:
    found = Surveys(folder)
    try:
        return {
            wave: [
                (one.respondent, one.revision, one.submitted is not None, one.answers)
                for one in found.responses(wave)
            ]
            for wave in (PAST_WAVE, OPEN_WAVE)
        }
    finally:
        found.close()


def send(folder: Path, token: str) -> None:
    """Send the link's answers, as a copy of what an example community sent."""
    found = Surveys(folder)
    try:
        whole = next(one for one in found.responses(PAST_WAVE) if one.submitted is not None)
        answers = {name: text for name, text in whole.answers.items() if "online" not in name}
        found.save(token, answers, revision=0, language="en", submit=True)
    finally:
        found.close()


def test_a_kill_on_the_way_leaves_nothing_out_and_each_demo_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    make_surveys(whole)
    saved, count = Surveys.save, 0

    def save(*given: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count == 50:
            raise KeyboardInterrupt
        return saved(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Surveys, "save", save)
        with pytest.raises(KeyboardInterrupt):
            make_surveys(broken)
    token = make_surveys(broken)
    assert answered(broken) == answered(whole)
    assert make_surveys(broken) == token


def test_answers_are_examples_vary_and_leave_a_small_region(tmp_path: Path) -> None:
    make_surveys(tmp_path)
    past = answered(tmp_path)[PAST_WAVE]
    sent = [(who, answers) for who, _, done, answers in past if done]
    assert len({who.name for who, *_ in past}) == len(past) == 151
    assert all(who.name.startswith("Example community ") for who, *_ in past)
    assert all(who.region.startswith("Example region ") for who, *_ in past)
    assert sum(who.region.endswith("I") for who, _ in sent) == 3
    assert len({msgspec.json.encode(answers) for _, answers in sent}) == len(sent) == 117


def test_a_link_that_was_used_is_followed_by_another(tmp_path: Path) -> None:
    first = make_surveys(tmp_path)
    send(tmp_path, first)
    second = make_surveys(tmp_path)
    assert second != first
    found = answered(tmp_path)
    assert [who.id for who, _, done, _ in found[OPEN_WAVE] if done][-1] == "example-062"
    assert make_surveys(tmp_path) == second


def test_fresh_throws_them_away(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    install(folder)
    first = make_surveys(folder)
    send(folder, first)
    install(folder, fresh=True)
    assert not list(folder.glob("surveys*"))
    second = make_surveys(folder)
    assert second != first
    assert answered(folder)[OPEN_WAVE][-1][1] == 0
