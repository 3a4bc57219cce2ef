"""An index as files: tables for spreadsheets, the whole as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["table"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def table(found: Mapping[str, Any], kind: str, said: Callable[[Any], str]) -> str:
    """Units or groups as CSV, the best first; columns are named as in the JSON document."""
    rows = sorted(found[kind], key=lambda row: (row["rank"] is None, row["rank"]))
    factors = list((found["variance"] or {}).get("choices") or {})
    names = [one["id"] for one in found["indicators"]] if kind == "units" else []
    plain = (
        ["id", "name", "group", "rank", "score"]
        if kind == "units"
        else ["id", "name", "units", "left_out", "rank", "score", "plain_mean", "standard_error"]
    )
    pairs = ["rank_interval"] + (["population_rank_interval"] if kind == "groups" else [])
    shares = ["share_of_variants_first", "share_of_variants_in_top_quarter"]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    heads = [f"{pair}_{end}" for pair in pairs for end in ("low", "high")]
    writer.writerow(
        [*plain, *heads, *shares, *(f"variance_total_{one}" for one in factors), *names]
    )
    for row in rows:
        cells = [_safe(said(row[key]) if key == "name" else row.get(key)) for key in plain]
        for pair in pairs:
            cells += row.get(pair) or ["", ""]
        cells += [row.get(key, "") for key in shares]
        variance = row.get("variance") or {}
        cells += [variance.get(one, {}).get("total", "") for one in factors]
        cells += ["" if one is None else one for one in row.get("values", [])] if names else []
        writer.writerow(["" if cell is None else cell for cell in cells])
    return out.getvalue()


def _safe(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
