"""What a mayor reads of an estimate: its size, how sure it is, and nothing more than that."""

from __future__ import annotations

import functools
import math
import tomllib
from pathlib import Path
from typing import Final

from babel import Locale
from babel.numbers import format_decimal, format_percent
from scipy.stats import norm, t

from rynek.base.messages import power_of_ten, written_out
from rynek.practices.estimate import Estimate, percent, share_of_logs
from rynek.practices.evidence import Level
from rynek.practices.task import Task

__all__ = ["LANGUAGES", "sentences"]

LANGUAGES: Final = ("en", "pl", "cs", "bg", "uk", "sr")
# What can be seen is what is found in four of five cases, as in the plan of a pilot.
_POWER: Final = 0.8
_HALVINGS: Final = 40
_MOST_FREEDOM: Final = 1e4
_FIGURES: Final = 3


def sentences(task: Task, estimate: Estimate, level: Level) -> dict[str, str]:
    """The sentence by language."""
    least = _least(estimate, task.spec.confidence)
    return {one: _sentence(one, task, estimate, level, least) for one in LANGUAGES}


@functools.cache
def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name("sentences.toml").read_text("utf-8"))


def _sentence(language: str, task: Task, estimate: Estimate, level: Level, least: float) -> str:
    words, locale = _words()[language], Locale.parse(language)
    share = percent(task, estimate)
    told = {
        "outcome": task.spec.title or task.spec.outcome,
        "effect": _number(estimate.effect, task, locale, sign=True),
        "percent": "" if share is None or task.spec.transform == "log" else
        f" ({_signed(share / 100, locale)})",
        "confidence": _degree(task.spec.confidence, locale),
        "alpha": _degree(1 - task.spec.confidence, locale),
        "level": level.number,
        "donors": len(estimate.placebos) or len(task.donors),
    }  # fmt: skip
    parts = ["effect"]
    if estimate.interval is not None:
        told["low"], told["high"] = (
            _number(one, task, locale, sign=True) for one in estimate.interval
        )
        parts.append("interval")
    parts.append(_judged(estimate, least))
    if parts[-1] == "unclear":
        told["least"] = _number(least, task, locale, sign=False)
    return " ".join(words[part].format(**told) for part in (*parts, "level"))


def _judged(estimate: Estimate, least: float) -> str:
    if estimate.interval is None:
        return "no_error" if estimate.p_value is None else "no_interval"
    if not estimate.interval[0] <= 0 <= estimate.interval[1]:
        return "clear"
    return "unclear" if least > 0 else "unsure"


def _least(estimate: Estimate, confidence: float) -> float:
    """The smallest effect that would have been found in four of five cases: half of the interval,
    which is what an estimate has to exceed, and the distance by which four of five lie above it
    (Bloom 1995; of a normal error 1.43 half intervals in all). An interval that is wider than a
    normal one is taken for one of the t distribution; placebos judge by their ranks."""
    low, high = estimate.interval or (0.0, 0.0)
    half, error = (high - low) / 2, estimate.standard_error
    share = 0.5 + confidence / 2
    if half <= 0 or not error:
        return half * (1 + float(norm.ppf(_POWER) / norm.ppf(share)))
    if estimate.placebos or half / error <= norm.ppf(share):
        return half + float(norm.ppf(_POWER)) * error
    return half + float(t.ppf(_POWER, _freedom(half / error, share))) * error


def _freedom(quantile: float, share: float) -> float:
    """The degrees of freedom of a t distribution with that quantile at `share`, one or more."""
    low, high = 1.0, _MOST_FREEDOM
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if t.ppf(share, middle) > quantile:
            low = middle
        else:
            high = middle
    return high


def _number(value: float, task: Task, locale: Locale, *, sign: bool) -> str:
    """Three significant figures with sign and unit; a change of logarithms in per cent."""
    if task.spec.transform == "log":
        text = _signed(share_of_logs(value), locale)
        return text if sign else text.lstrip("+")
    unit = f" {task.spec.outcome_unit}" if task.spec.outcome_unit else ""
    mark = ("−" if value < 0 else "+") if sign and value else ""
    if not written_out(value):
        return f"{mark}{power_of_ten(abs(value), _FIGURES, locale)}{unit}"
    digits = 0 if value == 0 else max(0, _FIGURES - 1 - math.floor(math.log10(abs(value))))
    text = format_decimal(abs(round(value, digits)), f"#,##0.{'#' * digits}", locale=locale)
    return f"{mark}{text}{unit}"


def _signed(share: float, locale: Locale) -> str:
    text = f"{power_of_ten(abs(100 * share), _FIGURES, locale)} %"
    if abs(share) < 1 or written_out(100 * share):
        text = format_percent(abs(share), "#,##0.0 %", locale=locale)
    return ("−" if share < 0 else "+") + text


def _degree(share: float, locale: Locale) -> str:
    """A confidence in per cent: 97.5 % is neither 97 nor 98."""
    pattern = locale.percent_formats[None].pattern.replace("0", "0.##")
    return str(format_percent(round(share, 6), pattern, locale=locale))
