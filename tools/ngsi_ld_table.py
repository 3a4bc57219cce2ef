"""Writes the tables of docs/ngsi-ld.md from the code: python tools/ngsi_ld_table.py."""

from __future__ import annotations

from pathlib import Path

from rynek.web.api.openapi import operations
from rynek.web.api.parameters import GROUPS, PARAMETERS, WORDS
from rynek.web.api.representations import HEADERS, REPRESENTATIONS
from rynek.web.api.routes import ROUTES
from rynek.web.api.shapes import SHAPES

_DONE = {one.key for one in operations(ROUTES) if one.done}
PAGE = Path(__file__).parents[1] / "docs" / "ngsi-ld.md"


def _table(*rows: tuple[str, ...]) -> str:
    head, *rest = rows
    lines = [head, tuple("---" for _ in head), *rest]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines
    )


def operation_table() -> str:
    """One row an operation: method, path, what it does with its clause, state."""
    rows = [("method", "path", "operation", "state")]
    known = set()
    for one in operations(ROUTES):
        known.add(one.key)
        what = one.summary if one.done else "OperationNotSupported (422)"
        rows.append((one.method, f"`{one.path}`", what, "done" if one.done else "not yet"))
    for key in (key for key in SHAPES if key not in known):
        method, _, path = key.partition(" ")
        rows.append((method, f"`/{path}`", "ResourceNotFound (404)", "not yet"))
    return _table(*rows)


def parameter_table() -> str:
    """One row a declaration: name, who takes it, what it means, clause, state."""
    rows = [("parameter", "of", "what it means", "clause", "state")]
    rows += [
        (f"`{row.name}`", _operations(row.operations), row.says, row.clause, row.state)
        for row in PARAMETERS
        if _operations(row.operations)
    ]
    rows += [
        (
            "`options`",
            _operations(row.operations),
            ", ".join(f"`{word}`" for word in row.options),
            "6.3.7, 6.3.11, 6.3.12",
            "done",
        )
        for row in WORDS
        if _operations(row.operations)
    ]
    rows += [
        (
            "`format`",
            _operations(row.operations),
            ", ".join(f"`{word}`" for word in row.formats) + "; wins over `options`",
            "6.3.7, 6.3.12",
            "done",
        )
        for row in WORDS
        if row.formats and _operations(row.operations)
    ]
    return _table(*rows)


def _operations(keys: tuple[str, ...]) -> str:
    """Names of groups of operations where all of one are meant, else methods and paths; those that
    are not there are left out."""
    left, names = [key for key in keys if key in _DONE], []
    for name, group in GROUPS:
        some = [key for key in group if key in _DONE]
        if some and set(some) <= set(left):
            left = [key for key in left if key not in group]
            names.append(name)
    names += [f"`{key.replace(' ', ' /', 1)}`" for key in left]
    return "; ".join(names)


def representation_table() -> str:
    """One row a representation: in bodies, in answers."""
    rows = [("what", "clause", "in bodies", "in answers")]
    rows += [tuple(row) for row in REPRESENTATIONS]
    return _table(*rows)


def header_table() -> str:
    """One row a header."""
    rows = [("header", "clause", "what it does")]
    rows += [(f"`{row.name}`", row.clause or "–", row.says) for row in HEADERS]
    return _table(*rows)


TABLES = {
    "operations": operation_table,
    "parameters": parameter_table,
    "representations": representation_table,
    "headers": header_table,
}


def with_tables(page: str) -> str:
    """The page with each table between its marks replaced."""
    for name, table in TABLES.items():
        before, _, rest = page.partition(f"<!-- {name} -->")
        _, _, after = rest.partition(f"<!-- /{name} -->")
        page = f"{before}<!-- {name} -->\n{table()}\n<!-- /{name} -->{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
