"""docs/ngsi-ld.md lists every route as it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_tables_are_those_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("table", ROOT / "tools" / "ngsi_ld_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.PAGE.read_text(encoding="utf-8")
    assert page == module.with_tables(page), "run: python tools/ngsi_ld_table.py"
