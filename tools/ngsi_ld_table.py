"""Writes the table of operations in docs/ngsi-ld.md from the routes: python tools/ngsi_ld_table.py."""

from __future__ import annotations

import re
from pathlib import Path

from rynek.web.api.route import not_yet
from rynek.web.api.routes import ROUTES

PAGE = Path(__file__).parents[1] / "docs" / "ngsi-ld.md"
START, END = "<!-- operations -->", "<!-- /operations -->"


def table() -> str:
    """One row a route: method, path, what it does with its clause, state."""
    rows = ["| method | path | operation | state |", "| --- | --- | --- | --- |"]
    for route in ROUTES:
        names = iter(("{id}", "{attrId}", "{instanceId}"))
        shown = re.sub(r"\*", lambda _, n=names: next(n), route.path)
        first = (route.handler.__doc__ or "").split(":")[0].split("\n")[0].rstrip(".")
        done = route.handler is not not_yet
        what = first if done else "OperationNotSupported (422)"
        rows.append(
            f"| {route.methods.replace(' ', ', ')} | `/{shown}` | {what} | {'done' if done else 'not yet'} |"
        )
    return "\n".join(rows)


def with_table(page: str) -> str:
    """The page with the table between its marks replaced."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
