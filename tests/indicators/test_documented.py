"""The table of all indicators in docs/indicators.md is that of the definitions.

RYNEK_WRITE_DOCS=1 python -m pytest tests/indicators/test_documented.py writes it.
"""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path

from rynek.indicators import Definition, definitions
from rynek.indicators.definition import DEPARTURES

PAGE = Path(__file__).parents[2] / "docs" / "indicators.md"
BEGIN, END = "<!-- indicators -->\n", "<!-- /indicators -->\n"
BETTER = {"more": "more", "less": "less", "none": "–"}
THEMES = {
    "mobility", "public transport", "cycling", "parking", "waste", "lighting", "energy", "air",
    "charging", "open data", "digital services", "participation", "governance",
    "population",
}  # fmt: skip


def source(one: Definition) -> str:
    if one.asked is not None:
        return f"asked: `{one.asked.question}` of `{one.asked.survey}`"
    if one.imported:
        return f"table `{one.imported[0].table}`"
    if one.known is not None:
        return "any table with " + ("population and area" if one.known.per_area else "population")
    assert one.computation is not None
    asked = one.computation
    what = f"`{asked.type}.{asked.attribute}`" if asked.attribute else f"`{asked.type}`"
    if asked.measure in DEPARTURES:
        what = "`Vehicle`, `ArrivalEstimation`"
    return what + (f" per {one.per.of}" if one.per is not None else "")


def table() -> str:
    lines = ["| indicator | what | unit | better | from |", "| --- | --- | --- | --- | --- |"]
    for theme, members in groupby(definitions(), key=lambda one: one.theme):
        lines.append(f"| **{theme}** | | | | |")
        for one in members:
            standard = f" ({one.standard})" if one.standard else ""
            cells = (
                f"`{one.id}`", one.name["en"] + standard, one.unit,
                BETTER.get(one.direction) or f"{one.target:g}",
                source(one),
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_indicators_is_that_of_the_definitions() -> None:
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    found, _, after = rest.partition(END)
    if os.environ.get("RYNEK_WRITE_DOCS"):
        PAGE.write_text(before + BEGIN + table() + END + after, "utf-8")
        return
    assert found == table()


def test_all_themes_have_indicators_and_most_are_computed() -> None:
    every = definitions()
    assert {one.theme for one in every} == THEMES
    assert len(every) >= 40
    assert sum(one.source == "computed" for one in every) >= 20
    assert {one.source for one in every} == {"computed", "asked", "imported"}
