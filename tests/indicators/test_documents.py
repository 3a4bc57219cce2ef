"""What docs/indexes.md shows runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rynek.indicators import (
    References,
    document,
    evaluate_index,
    load_definition,
    load_specification,
    open_indicators,
)

PAGE = Path(__file__).parents[2] / "docs" / "indexes.md"


def block(start: str) -> str:
    (found,) = (
        each
        for each in re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        if each.startswith(start)
    )
    return str(found)


def test_the_specification_of_the_page_gives_an_index(tmp_path: Path) -> None:
    text = block('id = "towns"')
    for said, quick in (("runs = 10000", "runs = 100"), ("samples = 1024", "samples = 16")):
        assert said in text
        text = text.replace(said, quick)
    (tmp_path / "towns.toml").write_text(text, "utf-8")
    (tmp_path / "towns.csv").write_text(
        "code,town,region,occupied,own_income,population,e_petitions,distance\n"
        + "".join(
            f"u{n},Town {n},{'NS'[n % 2]},{int(n == 3)},{900 + 370 * n % 800},{1000 + 90 * n},"
            f"{n % 3 and 1},{n * 7 % 13}\n"
            for n in range(14)
        )
    )
    found: dict[str, Any] = document(
        evaluate_index(load_specification(tmp_path / "towns.toml"), tmp_path)
    )
    assert len(found["units"]) == 13
    assert [one["reason"] for one in found["left_out"]] == ["it has no budget"]
    assert {row["id"] for row in found["groups"]} == {"N", "S"}
    assert "inclusion" in found["variance"]["choices"]


def test_the_definition_of_the_page_imports_a_table(tmp_path: Path) -> None:
    (tmp_path / "nuts.toml").write_text(block('id = "nuts"'), "utf-8")
    (tmp_path / "nuts.csv").write_text(
        "NUTS_ID,NAME_LATN,POP,POP_F,POP_M,CONTACT\nUA30,Kyiv,10,6,4,Eva\nPL21,Kraków,8,4,4,Jan\n"
    )
    kept, new = References(open_indicators(tmp_path)).import_file(
        load_definition(str(tmp_path / "nuts.toml")), tmp_path / "nuts.csv"
    )
    assert (kept.id, new) == ("nuts", True)
