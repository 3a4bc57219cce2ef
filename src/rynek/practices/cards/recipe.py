"""From recorded files to a panel, by a recipe that is kept with the card: same files, same panel.

A recipe says which rows of a CSV file count, what is no reading, and how readings become one value
for each unit and period. Nothing is filled in or smoothed.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
import re
import statistics
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from rynek.base.errors import BadRequestData
from rynek.base.typed import convert
from rynek.practices.saying import say
from rynek.practices.wording import shape_message

__all__ = ["Recipe", "RecordedFile", "make_panel", "parse_recipe"]

_MAX_BYTES: Final = 1 << 28
_MAX_ROWS: Final = 5_000_000
_STATISTICS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "sum": math.fsum,
}

_Key = tuple[str, str]


class RecordedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file below the folder of recorded data, with the SHA-256 that it had when the card was
    written."""

    path: str
    sha256: str = ""


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`values` (columns that are added up) of the rows in `where`, without those that are in
    `missing`, become one value a `unit` and period (`every`) where there are `at_least` so many.
    `covariates` are averaged beside it. `time_format` is strptime's; ISO dates without."""

    files: list[RecordedFile]
    time: str
    values: list[str]
    outcome: str
    unit: str = ""
    time_format: str = ""
    where: dict[str, str] = {}
    missing: list[float] = []
    every: Literal["day", "week", "month"] = "month"
    statistic: Literal["mean", "median", "sum"] = "mean"
    at_least: int = 1
    covariates: list[str] = []


def parse_recipe(document: Mapping[str, Any]) -> Recipe:
    """A recipe from a document. BadRequestData."""
    try:
        found = convert(dict(document), Recipe)
    except msgspec.ValidationError as error:
        raise BadRequestData(shape_message(error, Recipe, "recipe", inside="recipe.")) from None
    for each in found.files:
        parts = Path(each.path).parts
        if not parts or ".." in parts or Path(each.path).is_absolute() or "\0" in each.path:
            raise BadRequestData(say("recipe-path", path=each.path[:200]))
    if not found.values or not found.files:
        raise BadRequestData(say("recipe-empty"))
    return found


def make_panel(recipe: Recipe, data: Path, target: Path) -> str:
    """Write the panel of the files below `data` to `target` (CSV: unit, time, outcome, covariates);
    the SHA-256 of what the files hold. BadRequestData names the file, row and column."""
    digest = hashlib.sha256()
    outcomes: dict[_Key, list[float]] = defaultdict(list)
    beside: dict[str, dict[_Key, list[float]]] = {
        name: defaultdict(list) for name in recipe.covariates
    }
    for each in recipe.files:
        content = _content(data / each.path, each.path)
        digest.update(hashlib.sha256(content).digest())
        for number, row in _rows(each.path, content):
            if any(row.get(name) != value for name, value in recipe.where.items()):
                continue
            unit = row.get(recipe.unit) if recipe.unit else ""
            if unit is None:
                raise BadRequestData(
                    say("recipe-column", file=each.path, row=number, column=recipe.unit)
                )
            key = (unit, _period(recipe, row, each.path, number))
            value = _sum(recipe, row, each.path, number)
            if value is not None:
                outcomes[key].append(value)
            for name in recipe.covariates:
                other = _number(row.get(name, ""))
                if other is not None:
                    beside[name][key].append(other)
    _write(recipe, outcomes, beside, target)
    return digest.hexdigest()


def _content(path: Path, name: str) -> bytes:
    try:
        raw = path.read_bytes()
        if name.endswith(".gz"):
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = packed.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = say("file-missing" if missing else "file-unreadable")
        raise BadRequestData(say("recipe-file", file=name, reason=reason)) from None
    if len(raw) > _MAX_BYTES:
        raise BadRequestData(say("recipe-large", file=name, most=_MAX_BYTES >> 20))
    return raw


def _rows(name: str, content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    text = io.StringIO(content.decode("utf-8-sig", errors="replace"), newline="")
    number = 1
    try:
        for number, row in enumerate(csv.DictReader(text), start=2):
            if number > _MAX_ROWS:
                raise BadRequestData(say("recipe-rows", file=name, most=_MAX_ROWS))
            yield number, row
    except csv.Error:
        reason = say("csv-broken")
        raise BadRequestData(say("recipe-csv", file=name, row=number, reason=reason)) from None


def _period(recipe: Recipe, row: Mapping[str, str], name: str, number: int) -> str:
    text = row.get(recipe.time) or ""
    try:
        if recipe.time_format:
            day = datetime.strptime(text, recipe.time_format).date()
        else:
            day = date.fromisoformat(text[:10])
    except (ValueError, re.error):
        raise BadRequestData(
            say(
                "recipe-time",
                file=name,
                row=number,
                column=recipe.time,
                text=text[:40],
                form=recipe.time_format or "YYYY-MM-DD",
            )
        ) from None
    if recipe.every == "month":
        return day.isoformat()[:7]
    if recipe.every == "week":
        day -= timedelta(days=day.weekday())
    return day.isoformat()


def _sum(recipe: Recipe, row: Mapping[str, str], name: str, number: int) -> float | None:
    """The outcome of a row; None where a part of it is missing."""
    total = 0.0
    for column in recipe.values:
        if column not in row:
            raise BadRequestData(say("recipe-column", file=name, row=number, column=column))
        value = _number(row[column])
        if value is None or value in recipe.missing:
            return None
        total += value
    return total


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _write(
    recipe: Recipe,
    outcomes: Mapping[_Key, list[float]],
    beside: Mapping[str, Mapping[_Key, list[float]]],
    target: Path,
) -> None:
    combine = _STATISTICS[recipe.statistic]
    with target.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow([*(["unit"] if recipe.unit else []), "time", recipe.outcome, *beside])
        for key in sorted(outcomes):
            if len(outcomes[key]) < recipe.at_least:
                continue
            others = [
                statistics.fmean(each[key]) if key in each else "" for each in beside.values()
            ]
            told = [combine(outcomes[key]), *others]
            lines.writerow([*([key[0]] if recipe.unit else []), key[1], *told])
