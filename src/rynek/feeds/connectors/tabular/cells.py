"""Cells → attribute values, the same for single rows and for whole columns."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from rynek.base.clock import to_iso
from rynek.feeds.connectors.tabular.mapping import Attribute, placeholders
from rynek.feeds.contract import Findings
from rynek.feeds.kit.checked import finite, flag
from rynek.feeds.kit.times import to_micros

MAX_TEXT = 10_000
_SIGNS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "'": " ", "’": " ", "−": "-"})
_SPACED = re.compile(r"[+-]? ?\d{1,3}(?: \d{3})+(?:[.,]\d+)?\Z")
# 0.125 groups nothing.
_DOTTED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?\Z")
# One group alone (1,234) could as well be a decimal comma.
_COMMAED = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3})+\.\d+|(?:,\d{3}){2,})\Z")


def moment(cell: Any, zone: str, pattern: str = "") -> int | None:
    """A time in a cell → epoch µs, zoneless ones local to `zone`; None when it is none."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return None
    return _moment(cell, zone, pattern or None)


@lru_cache(maxsize=131_072)
def _moment(cell: str | float, zone: str, pattern: str | None) -> int | None:
    # Tables repeat their times: one poll of many stations, one hour of many car parks.
    try:
        return to_micros(cell, zone, pattern)
    except (ValueError, OverflowError):
        return None


def convert(
    cell: Any, rule: Attribute, decimal: str, zone: str, findings: Findings, n: int = 1
) -> Any:
    """The value a cell means; None when it holds none. Odd cells are counted `n` times."""
    if cell is None or cell == "" or (isinstance(cell, str) and not cell.strip()):
        return None
    text = str(cell).strip() if isinstance(cell, str | int | float) else ""
    if text in rule.missing:
        return None
    if rule.values:
        if text in rule.values:
            return rule.values[text]
        findings.add("unknown-value", "warning", f"{rule.name}: {cell}", n)
        return None
    if rule.kind in ("number", "integer"):
        return _number(cell, rule, decimal, findings, n)
    if rule.kind == "flag":
        value: Any = flag(cell)
    elif rule.kind == "time":
        micros = moment(cell, rule.zone or zone, rule.format)
        value = None if micros is None else {"@type": "DateTime", "@value": to_iso(micros)}
    elif rule.kind == "list":
        value = [text]
    elif rule.kind == "json":
        value = cell
    else:
        value = text[:MAX_TEXT] if text else None
    if value is None:
        findings.add("bad-value", "warning", f"{rule.name}: {cell!r}", n)
    return value


def plain(text: str, decimal: str) -> str:
    """A number as people write it (`1 234,5`, `1.234,5`, `−3`) in the notation of programs.

    The mark that is not the decimal one may group thousands and nothing else: `12.5` where a
    comma is the decimal mark stays what it is not, a number.
    """
    text = text.strip().translate(_SIGNS)
    if " " in text and _SPACED.match(text):
        text = text.replace(" ", "")
    if decimal == ",":
        if "." in text:
            return text.replace(".", "").replace(",", ".") if _DOTTED.match(text) else f"?{text}"
        return text.replace(",", ".")
    return text.replace(",", "") if "," in text and _COMMAED.match(text) else text


def _number(cell: Any, rule: Attribute, decimal: str, findings: Findings, n: int) -> Any:
    value = finite(plain(cell, decimal) if isinstance(cell, str) else cell)
    if value is None:
        findings.add("bad-value", "warning", f"{rule.name}: {cell!r}", n)
        return None
    if rule.scale != 1.0 or rule.offset:
        value = round(value * rule.scale + rule.offset, 9)
    if (rule.min is not None and value < rule.min) or (rule.max is not None and value > rule.max):
        findings.add("out-of-range", "warning", f"{rule.name}: {value}", n)
        return None
    if rule.kind == "integer":
        return round(value)
    return value


def filled(template: str, values: dict[str, Any]) -> str | None:
    """A template with its columns' texts; None when one of them is empty."""
    for column in placeholders(template):
        text = str(values.get(column) if values.get(column) is not None else "").strip()
        if not text:
            return None
        template = template.replace("{" + column + "}", text)
    return template
