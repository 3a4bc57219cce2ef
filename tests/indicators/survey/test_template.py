"""The survey that comes with rynek."""

from __future__ import annotations

from pathlib import Path

from rynek.indicators import State, read_survey, write_template
from rynek.indicators.survey.model import LANGUAGES


def test_it_is_read_and_speaks_six_languages(tmp_path: Path) -> None:
    write_template(tmp_path / "strategy.xlsx")
    survey = read_survey(tmp_path / "strategy.xlsx")
    assert survey.id == "smart-strategy"
    assert set(survey.languages) == set(LANGUAGES)
    assert survey.title["uk"] == "Смарт-стратегія, потреби, пріоритети"
    texts = [survey.title]
    for element, _ in survey.walk():
        texts += [
            text for text in (element.label, element.hint, element.constraint_message) if text
        ]
    texts += [choice.label for listed in survey.choices.values() for choice in listed]
    for text in texts:
        assert set(text) == set(LANGUAGES), text
        assert all(words.strip() == words and words for words in text.values())


def test_its_conditions(tmp_path: Path) -> None:
    write_template(tmp_path / "strategy.xlsx")
    survey = read_survey(tmp_path / "strategy.xlsx")
    answers = {
        "size": "s2", "role": "mayor", "has_strategy": "none", "why_not": "money people",
        "owner": "nobody", "budget": "no", "data_use": "never", "open_data": "no",
        "needs": "funding other", "needs_other": "Time", "sharing": "named", "first": "air",
        "then": "waste energy", "strategy_year": "1500",
        "project": [{"project_name": "Sensors", "project_theme": "air", "project_stage": "idea"}],
    }  # fmt: skip
    state = State(survey, answers, "2026-11-26")
    assert state.faults() == []
    assert "strategy_year" not in state.final()
    wrong = State(
        survey, answers | {"then": "air", "needs": "funding law skills other"}, "2026-11-26"
    )
    assert [(each.name, each.code) for each in wrong.faults()] == [("needs", "constraint"), ("then", "constraint")]  # fmt: skip
