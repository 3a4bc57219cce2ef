"""What a mayor reads of an estimate: its size, how sure it is, and nothing more than that."""

from __future__ import annotations

import functools
import math
import tomllib
from pathlib import Path
from typing import Final

from babel import Locale
from babel.numbers import format_decimal, format_percent

from rynek.practices.estimate import Estimate, percent
from rynek.practices.evidence import Level
from rynek.practices.task import Task

__all__ = ["LANGUAGES", "sentences"]

LANGUAGES: Final = ("en", "pl", "cs", "bg", "uk", "sr")
# What a test at 5 % finds in four of five cases: 1.96 + 0.84 standard errors.
_SEEN: Final = 2.8
_FIGURES: Final = 3


def sentences(task: Task, estimate: Estimate, level: Level) -> dict[str, str]:
    """The sentence by language."""
    return {one: _sentence(one, task, estimate, level) for one in LANGUAGES}


@functools.cache
def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name("sentences.toml").read_text("utf-8"))


def _sentence(language: str, task: Task, estimate: Estimate, level: Level) -> str:
    words, locale = _words()[language], Locale.parse(language)
    share = percent(task, estimate)
    told = {
        "outcome": task.spec.title or task.spec.outcome,
        "effect": _number(estimate.effect, task, locale, sign=True),
        "percent": "" if share is None or task.spec.transform == "log" else
        f" ({_signed(share / 100, locale)})",
        "confidence": format_percent(task.spec.confidence, locale=locale),
        "alpha": format_percent(1 - task.spec.confidence, locale=locale),
        "level": level.number,
        "donors": len(estimate.placebos) or len(task.donors),
    }  # fmt: skip
    parts = ["effect"]
    if estimate.interval is not None:
        told["low"], told["high"] = (
            _number(one, task, locale, sign=True) for one in estimate.interval
        )
        parts.append("interval")
    parts.append(_judged(estimate))
    if parts[-1] == "unclear":
        told["least"] = _number(_least(estimate), task, locale, sign=False)
    return " ".join(words[part].format(**told) for part in (*parts, "level"))


def _judged(estimate: Estimate) -> str:
    if estimate.interval is None:
        return "no_interval" if estimate.placebos else "no_error"
    if not estimate.interval[0] <= 0 <= estimate.interval[1]:
        return "clear"
    return "unclear" if _least(estimate) > 0 else "unsure"


def _least(estimate: Estimate) -> float:
    """The smallest effect that would have been seen in four of five cases; never less than half
    of the interval, which ranks may make wider than the error does."""
    low, high = estimate.interval or (0.0, 0.0)
    return max(_SEEN * (estimate.standard_error or 0.0), (high - low) / 2)


def _number(value: float, task: Task, locale: Locale, *, sign: bool) -> str:
    """Three significant figures with sign and unit; a change of logarithms in per cent."""
    if task.spec.transform == "log":
        share = math.expm1(value)
        return _signed(share, locale) if sign else format_percent(share, "0.0 %", locale=locale)
    digits = 0 if value == 0 else max(0, _FIGURES - 1 - math.floor(math.log10(abs(value))))
    text = format_decimal(abs(round(value, digits)), f"#,##0.{'#' * digits}", locale=locale)
    mark = ("−" if value < 0 else "+") if sign and value else ""
    unit = f" {task.spec.outcome_unit}" if task.spec.outcome_unit else ""
    return f"{mark}{text}{unit}"


def _signed(share: float, locale: Locale) -> str:
    text = format_percent(abs(share), "#,##0.0 %", locale=locale)
    return ("−" if share < 0 else "+") + text
